namespace Cluster.Worker.Tokenization;

/// <summary>A stretch of text on its way through the pre-tokenizers, as a window into a shared string: splitting never copies.</summary>
/// <param name="Text">The string the window looks into.</param>
/// <param name="Start">First UTF-16 unit.</param>
/// <param name="Length">UTF-16 units.</param>
/// <param name="StartsText">Whether it begins at the start of the whole input; <c>Metaspace</c> treats the first piece differently.</param>
internal readonly record struct Piece(string Text, int Start, int Length, bool StartsText)
{
    public ReadOnlySpan<char> Span => Text.AsSpan(Start, Length);

    public Piece Slice(int start, int end) => new(Text, start, end - start, StartsText && start == Start);
}
