using System.Text;

namespace Cluster.Worker.Tokenization.Decoders;

/// <summary><c>WordPiece</c>: tokens that go on a word lose their prefix, all others but the first get a space before them.</summary>
/// <param name="prefix">Usually <c>##</c>.</param>
/// <param name="cleansUp">Takes the spaces before English punctuation and contractions.</param>
internal sealed class WordPieceDecoder(string prefix, bool cleansUp) : IDecoder
{
    private static readonly (string From, string To)[] Cleaned =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"),
        (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    public void Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            tokens[i] = CleanUp(i == 0 ? tokens[i] : Inner(tokens[i]));
        }
    }

    /// <summary>The bytes of one token that is not a text's first.</summary>
    public byte[] Bytes(string token) => Encoding.UTF8.GetBytes(CleanUp(Inner(token)));

    private string Inner(string token) =>
        prefix.Length > 0 && token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;

    private string CleanUp(string token)
    {
        foreach (var (from, to) in cleansUp ? Cleaned : [])
        {
            token = token.Replace(from, to, StringComparison.Ordinal);
        }
        return token;
    }
}
