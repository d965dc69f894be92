namespace Cluster.Worker.Engine.Constraints;

/// <summary>A set of Unicode scalar values as sorted, disjoint, non-adjacent ranges; surrogates are never part of it. Used by the pattern
/// parser and by JSON strings.</summary>
internal sealed class RuneSet : IEquatable<RuneSet>
{
    private const int SurrogatesStart = 0xD800;
    private const int SurrogatesEnd = 0xDFFF;
    private const int Highest = 0x10FFFF;

    public static readonly RuneSet All = Of((0, Highest));

    public static readonly RuneSet Digits = Of(('0', '9'));

    /// <summary>ASCII, as in ECMAScript and in what vLLM's backends take <c>\w</c> for.</summary>
    public static readonly RuneSet Word = Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    public static readonly RuneSet Space = Of(('\t', '\r'), (' ', ' '));

    private RuneSet(IReadOnlyList<(int Low, int High)> ranges) => Ranges = ranges;

    public IReadOnlyList<(int Low, int High)> Ranges { get; }

    public bool IsEmpty => Ranges.Count == 0;

    /// <summary>Any ranges in any order; both ends belong to a range.</summary>
    public static RuneSet Of(params IEnumerable<(int Low, int High)> ranges)
    {
        var merged = new List<(int Low, int High)>();
        foreach (var range in ranges.SelectMany(WithoutSurrogates).OrderBy(range => range.Low))
        {
            if (merged.Count > 0 && range.Low <= merged[^1].High + 1)
            {
                merged[^1] = (merged[^1].Low, Math.Max(merged[^1].High, range.High));
            }
            else
            {
                merged.Add(range);
            }
        }

        return new RuneSet(merged);
    }

    public static RuneSet Single(int rune) => Of((rune, rune));

    public bool Contains(int rune)
    {
        var (low, high) = (0, Ranges.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (rune < Ranges[middle].Low)
            {
                high = middle - 1;
            }
            else if (rune > Ranges[middle].High)
            {
                low = middle + 1;
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    public RuneSet Union(RuneSet other) => Of(Ranges.Concat(other.Ranges));

    public RuneSet Except(RuneSet other) => other.Complement().Intersect(this);

    public RuneSet Complement()
    {
        var gaps = new List<(int Low, int High)>();
        var next = 0;
        foreach (var (low, high) in Ranges)
        {
            if (low > next)
            {
                gaps.Add((next, low - 1));
            }

            next = high + 1;
        }

        if (next <= Highest)
        {
            gaps.Add((next, Highest));
        }

        return Of(gaps);
    }

    public RuneSet Intersect(RuneSet other)
    {
        var common = new List<(int Low, int High)>();
        for (int i = 0, j = 0; i < Ranges.Count && j < other.Ranges.Count;)
        {
            var low = Math.Max(Ranges[i].Low, other.Ranges[j].Low);
            var high = Math.Min(Ranges[i].High, other.Ranges[j].High);
            if (low <= high)
            {
                common.Add((low, high));
            }

            if (Ranges[i].High < other.Ranges[j].High)
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return Of(common);
    }

    public bool Equals(RuneSet? other) => other is not null && Ranges.SequenceEqual(other.Ranges);

    public override bool Equals(object? obj) => Equals(obj as RuneSet);

    public override int GetHashCode() => Ranges.Count == 0 ? 0 : HashCode.Combine(Ranges.Count, Ranges[0], Ranges[^1]);

    private static IEnumerable<(int Low, int High)> WithoutSurrogates((int Low, int High) range)
    {
        if (range.Low < SurrogatesStart)
        {
            yield return (range.Low, Math.Min(range.High, SurrogatesStart - 1));
        }

        if (range.High > SurrogatesEnd)
        {
            yield return (Math.Max(range.Low, SurrogatesEnd + 1), range.High);
        }
    }
}
