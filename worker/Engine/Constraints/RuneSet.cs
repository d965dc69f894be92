using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>A set of Unicode scalar values as sorted, disjoint, non-adjacent ranges: a <see cref="CodePointSet"/> that surrogates are never
/// part of. Used by the pattern parser and by JSON strings.</summary>
internal sealed class RuneSet : IEquatable<RuneSet>
{
    private static readonly CodePointSet Scalars = CodePointSet.Of([(0, 0xD7FF), (0xE000, CodePointSet.Last)]);

    public static readonly RuneSet All = new(Scalars);

    public static readonly RuneSet Digits = Of(('0', '9'));

    /// <summary>ASCII, as in ECMAScript and in what vLLM's backends take <c>\w</c> for.</summary>
    public static readonly RuneSet Word = Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    public static readonly RuneSet Space = Of(('\t', '\r'), (' ', ' '));

    private readonly CodePointSet _set;

    private RuneSet(CodePointSet set) => _set = set;

    public IReadOnlyList<(int Low, int High)> Ranges => _set.Ranges;

    public bool IsEmpty => Ranges.Count == 0;

    /// <summary>Any ranges in any order; both ends belong to a range.</summary>
    public static RuneSet Of(params IEnumerable<(int Low, int High)> ranges) => Of(CodePointSet.Of(ranges));

    public static RuneSet Of(CodePointSet set) => new(set.And(Scalars));

    public static RuneSet Single(int rune) => Of((rune, rune));

    public bool Contains(int rune) => _set.Contains(rune);

    public RuneSet Union(RuneSet other) => new(_set.Or(other._set));

    public RuneSet Except(RuneSet other) => other.Complement().Intersect(this);

    public RuneSet Complement() => Of(_set.Not());

    public RuneSet Intersect(RuneSet other) => new(_set.And(other._set));

    public bool Equals(RuneSet? other) => other is not null && Ranges.SequenceEqual(other.Ranges);

    public override bool Equals(object? obj) => Equals(obj as RuneSet);

    public override int GetHashCode() => Ranges.Count == 0 ? 0 : HashCode.Combine(Ranges.Count, Ranges[0], Ranges[^1]);
}
