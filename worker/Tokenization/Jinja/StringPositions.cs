namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Methods of Python's <c>str</c> that look for a part of a text, between positions that may be given.</summary>
internal static class StringPositions
{
    /// <summary>The part of a text that the arguments <c>start</c> and <c>end</c> mean, and where it begins; null when there is none such.
    /// Positions count code points.</summary>
    public static (string Text, int Start)? Range(string text, Arguments arguments, RenderBudget budget)
    {
        if (arguments.Get(1, "start") is null && arguments.Get(2, "end") is null)
        {
            return (text, 0);
        }
        budget.Characters(text.Length);
        long length = CodePoints.Count(text);
        var start = Bound(1, "start", 0);
        var end = Bound(2, "end", length);
        if (start > length || start > end)
        {
            return null;
        }
        var first = Offset(start);
        return (text[first..Offset(Math.Min(end, length))], first);

        long Bound(int position, string name, long fallback) =>
            arguments.Get(position, name) is null ? fallback
            : arguments.Integer(position, name) is >= 0 and var given ? given : Math.Max(0, arguments.Integer(position, name) + length);

        int Offset(long points)
        {
            var at = 0;
            for (; points > 0; points--)
            {
                at += at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
            }
            return at;
        }
    }

    public static long Find(string text, Arguments arguments, RenderBudget budget, bool last)
    {
        if (Range(text, arguments, budget) is not { } range)
        {
            return -1;
        }
        var part = arguments.Text(0, "sub");
        var at = Find(range.Text, part, last, budget);
        return at < 0 ? -1 : Position(text, range.Start + at);
    }

    // Positions count code points, as in Python.
    private static long Position(string text, int at) => at <= 0 ? at : CodePoints.Count(text.AsSpan(0, at));

    /// <summary>Where a text has a part for the first or the last time; -1 for nowhere. In UTF-16.</summary>
    public static int Find(string text, string part, bool last, RenderBudget budget)
    {
        budget.Search(text, part);
        return last ? text.LastIndexOf(part, StringComparison.Ordinal) : text.IndexOf(part, StringComparison.Ordinal);
    }

    public static long Count(string text, string part, RenderBudget budget)
    {
        budget.Search(text, part);
        return part.Length == 0 ? CodePoints.Count(text) + 1 : text.AsSpan().Count(part);
    }
}
