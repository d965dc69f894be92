using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary><c>BertPreTokenizer</c>: words between whitespace, every punctuation character a word of its own.</summary>
internal static class BertPreTokenizer
{
    /// <summary>Unicode's punctuation and what else of ASCII is none of letters, digits and controls.</summary>
    public const string Punctuation = @"[\p{P}$+<=>^`|~]";

    public static IPreTokenizer Create() => new PreTokenizerSequence(
    [
        new Split(new RegexPattern(@"\s+"), SplitBehavior.Removed, invert: false),
        new Split(new RegexPattern(Punctuation), SplitBehavior.Isolated, invert: false),
    ]);
}
