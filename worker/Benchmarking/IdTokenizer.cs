using System.Globalization;
using System.Text;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Benchmarking;

/// <summary>Text of a model without a tokenizer: the ids, each after a space. Lets such a model run through the whole engine.</summary>
internal sealed class IdTokenizer(int vocabSize) : ITokenizer
{
    public int VocabSize => vocabSize;

    /// <exception cref="FormatException">The text is not ids.</exception>
    public IReadOnlyList<int> Encode(string text, bool addSpecialTokens) =>
        [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(
                id => TokenToId(id)
                    ?? throw new FormatException(
                        $"'{id}' is not a token id below {vocabSize}; a model without a tokenizer reads ids only"))];

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var text = new StringBuilder();
        foreach (var id in ids)
        {
            text.Append(' ').Append(id);
        }

        return text.ToString();
    }

    public int? TokenToId(string token) =>
        int.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id < vocabSize ? id : null;

    public string? IdToToken(int id) => (uint)id < (uint)vocabSize ? $" {id}" : null;

    public bool IsSpecial(int id) => false;
}
