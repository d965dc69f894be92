using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary><c>Metaspace</c>: writes spaces as a visible character, puts one before the text, and cuts before each
/// (SentencePiece, Kudo and Richardson 2018).</summary>
/// <param name="replacement">Usually ▁ (U+2581).</param>
/// <param name="split">Whether words become pieces of their own.</param>
internal sealed class MetaspacePreTokenizer(char replacement, PrependScheme prepend, bool split) : IPreTokenizer
{
    private readonly IPreTokenizer _split =
        new Split(new LiteralPattern(replacement.ToString()), SplitBehavior.MergedWithNext, invert: false);

    public List<Piece> Split(List<Piece> pieces)
    {
        List<Piece> marked = [.. pieces.Select(Mark)];
        return split ? _split.Split(marked) : marked;
    }

    private Piece Mark(Piece piece)
    {
        var text = piece.Span.ToString().Replace(' ', replacement);
        var wanted = prepend == PrependScheme.Always || (prepend == PrependScheme.First && piece.StartsText);
        if (wanted && !text.StartsWith(replacement))
        {
            text = replacement + text;
        }
        return new Piece(text, 0, text.Length, piece.StartsText);
    }
}
