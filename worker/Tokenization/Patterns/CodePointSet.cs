namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>A set of code points, as sorted ranges with gaps between them. Immutable. What the classes of a tokenizer's regexes are
/// computed in, and the sets of structured output without the surrogates.</summary>
internal sealed class CodePointSet
{
    public const int Last = 0x10FFFF;

    private readonly (int First, int Last)[] _ranges;

    private CodePointSet((int, int)[] ranges) => _ranges = ranges;

    public static CodePointSet Empty { get; } = new([]);

    public static CodePointSet All { get; } = Of(0, Last);

    public IReadOnlyList<(int First, int Last)> Ranges => _ranges;

    public static CodePointSet Of(int codePoint) => Of(codePoint, codePoint);

    public static CodePointSet Of(int first, int last) => new([(first, last)]);

    /// <summary>Of ranges in any order.</summary>
    public static CodePointSet Of(IEnumerable<(int First, int Last)> ranges)
    {
        List<(int First, int Last)> joined = [];
        foreach (var (first, last) in ranges.Order())
        {
            if (joined.Count > 0 && first <= joined[^1].Last + 1)
            {
                joined[^1] = (joined[^1].First, Math.Max(joined[^1].Last, last));
            }
            else
            {
                joined.Add((first, last));
            }
        }
        return new CodePointSet([.. joined]);
    }

    public CodePointSet Or(CodePointSet other) => Of(_ranges.Concat(other._ranges));

    public CodePointSet And(CodePointSet other)
    {
        List<(int, int)> common = [];
        for (int i = 0, j = 0; i < _ranges.Length && j < other._ranges.Length;)
        {
            var first = Math.Max(_ranges[i].First, other._ranges[j].First);
            var last = Math.Min(_ranges[i].Last, other._ranges[j].Last);
            if (first <= last)
            {
                common.Add((first, last));
            }
            _ = _ranges[i].Last < other._ranges[j].Last ? i++ : j++;
        }
        return new CodePointSet([.. common]);
    }

    public CodePointSet Not()
    {
        List<(int, int)> gaps = [];
        var next = 0;
        foreach (var (first, last) in _ranges)
        {
            if (first > next)
            {
                gaps.Add((next, first - 1));
            }
            next = last + 1;
        }
        if (next <= Last)
        {
            gaps.Add((next, Last));
        }
        return new CodePointSet([.. gaps]);
    }

    public bool Contains(int codePoint)
    {
        int low = 0, high = _ranges.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (codePoint < _ranges[middle].First)
            {
                high = middle - 1;
            }
            else if (codePoint > _ranges[middle].Last)
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
}
