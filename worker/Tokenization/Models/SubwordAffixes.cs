namespace Cluster.Worker.Tokenization.Models;

/// <summary>How a BPE vocabulary marks where in a word a token stands.</summary>
/// <param name="Prefix"><c>continuing_subword_prefix</c>: begins every token but the word's first; empty for none.</param>
/// <param name="Suffix"><c>end_of_word_suffix</c>: ends the word's last token; empty for none.</param>
internal sealed record SubwordAffixes(string Prefix, string Suffix)
{
    /// <summary>Real ones are <c>##</c> and <c>&lt;/w&gt;</c>.</summary>
    public const int MaxLength = 64;

    public static SubwordAffixes None { get; } = new("", "");

    public bool IsNone => Prefix.Length == 0 && Suffix.Length == 0;
}
