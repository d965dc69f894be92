namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>What a <c>Split</c> or <c>Replace</c> searches for. Implemented by a literal, by scanners for the regexes of well-known
/// tokenizers, and by .NET regular expressions for the rest.</summary>
internal interface ISplitPattern
{
    /// <summary>Appends the matches inside a window of the text, left to right and without overlap. The window is searched as if it
    /// were the whole text, so look-ahead ends at its end. Empty matches are left out.</summary>
    /// <param name="text">The string the window looks into; offsets of matches are offsets into it.</param>
    /// <param name="start">First UTF-16 unit of the window.</param>
    /// <param name="length">UTF-16 units.</param>
    void FindMatches(string text, int start, int length, List<TextSpan> matches);
}
