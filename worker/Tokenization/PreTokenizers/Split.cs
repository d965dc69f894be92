using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary><c>Split</c>: cuts at the matches of a pattern. <c>Digits</c>, <c>Punctuation</c> and their like are the same with a fixed
/// pattern.</summary>
/// <param name="invert">The matches are the words and the rest the delimiters.</param>
internal sealed class Split(ISplitPattern pattern, SplitBehavior behavior, bool invert) : IPreTokenizer
{
    private readonly record struct Segment(int Start, int End, bool IsDelimiter);

    List<Piece> IPreTokenizer.Split(List<Piece> pieces)
    {
        List<Piece> result = new(pieces.Count);
        List<TextSpan> matches = [];
        List<Segment> segments = [];
        foreach (var piece in pieces)
        {
            matches.Clear();
            segments.Clear();
            pattern.FindMatches(piece.Text, piece.Start, piece.Length, matches);
            FillGaps(piece, matches, segments);
            foreach (var segment in Apply(segments))
            {
                if (segment.End > segment.Start && !(behavior == SplitBehavior.Removed && segment.IsDelimiter))
                {
                    result.Add(piece.Slice(segment.Start, segment.End));
                }
            }
        }
        return result;
    }

    private void FillGaps(Piece piece, List<TextSpan> matches, List<Segment> segments)
    {
        var at = piece.Start;
        foreach (var match in matches)
        {
            if (match.Start > at)
            {
                segments.Add(new Segment(at, match.Start, invert));
            }
            segments.Add(new Segment(match.Start, match.End, !invert));
            at = match.End;
        }
        if (piece.Start + piece.Length > at)
        {
            segments.Add(new Segment(at, piece.Start + piece.Length, invert));
        }
    }

    private List<Segment> Apply(List<Segment> segments) => behavior switch
    {
        SplitBehavior.Contiguous => Join(segments, (before, after) => before.IsDelimiter == after.IsDelimiter),
        SplitBehavior.MergedWithPrevious => Join(segments, (before, after) => after.IsDelimiter && !before.IsDelimiter),
        SplitBehavior.MergedWithNext => Join(segments, (before, after) => before.IsDelimiter && !after.IsDelimiter),
        _ => segments,
    };

    // Joins neighbours; which two belong together is decided by the original neighbours, not by what was joined before.
    private static List<Segment> Join(List<Segment> segments, Func<Segment, Segment, bool> belongTogether)
    {
        List<Segment> joined = new(segments.Count);
        for (var i = 0; i < segments.Count; i++)
        {
            if (i > 0 && belongTogether(segments[i - 1], segments[i]))
            {
                joined[^1] = joined[^1] with { End = segments[i].End };
            }
            else
            {
                joined.Add(segments[i]);
            }
        }
        return joined;
    }
}
