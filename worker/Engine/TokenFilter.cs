using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>Tokens a request rules out by name: those that are not in <see cref="SamplingParameters.AllowedTokenIds"/>, and those that
/// would complete one of its <see cref="SamplingParameters.BadWords"/>. Compiled once for a request; read by its
/// <see cref="SamplingState"/>s.</summary>
internal sealed class TokenFilter
{
    private readonly ulong[] _allowed;
    private readonly int[][] _words;

    private TokenFilter(ulong[] allowed, int[][] words)
    {
        _allowed = allowed;
        _words = words;
        TailLength = words.Length == 0 ? 0 : words.Max(word => word.Length) - 1;
    }

    /// <summary>Bit i says whether token i may come; empty for all.</summary>
    public ReadOnlySpan<ulong> Allowed => _allowed;

    /// <summary>How many of the output's last tokens decide what is forbidden next.</summary>
    public int TailLength { get; }

    /// <summary>Whether a word of one token is forbidden, or one could be completed.</summary>
    public bool HasWords => _words.Length > 0;

    /// <returns>Null when the parameters rule nothing out.</returns>
    public static TokenFilter? Compile(SamplingParameters sampling, ITokenizer tokenizer, int vocabSize)
    {
        var words = sampling.BadWords.SelectMany(word => Spellings(word, tokenizer))
            .Where(word => word.Length > 0 && word.All(token => (uint)token < (uint)vocabSize)).ToArray();
        var allowed = Array.Empty<ulong>();
        if (sampling.AllowedTokenIds is { } ids)
        {
            allowed = new ulong[(vocabSize + 63) / 64];
            foreach (var id in ids)
            {
                allowed[id >> 6] |= 1UL << id;
            }
        }

        return words.Length == 0 && allowed.Length == 0 ? null : new TokenFilter(allowed, words);
    }

    /// <summary>The tokens that would complete a word. One may come up twice.</summary>
    /// <param name="tail">The output's last tokens, at least <see cref="TailLength"/> of them where there are so many.</param>
    public IEnumerable<int> Forbidden(IReadOnlyList<int> tail) => _words.Where(word => EndsWith(tail, word)).Select(word => word[^1]);

    private static bool EndsWith(IReadOnlyList<int> tail, int[] word)
    {
        var start = tail.Count - (word.Length - 1);
        if (start < 0)
        {
            return false;
        }

        for (var i = 0; i < word.Length - 1; i++)
        {
            if (tail[start + i] != word[i])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A word at the start of a text, and behind a space, where that is another token and no token more: vLLM's rule.</summary>
    private static IEnumerable<int[]> Spellings(string word, ITokenizer tokenizer)
    {
        var bare = word.TrimStart();
        int[] plain = [.. tokenizer.Encode(bare, addSpecialTokens: false)];
        yield return plain;
        int[] spaced = [.. tokenizer.Encode(" " + bare, addSpecialTokens: false)];
        if (plain.Length > 0 && spaced.Length == plain.Length && spaced[0] != plain[0])
        {
            yield return spaced;
        }
    }
}
