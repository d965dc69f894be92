using System.Text;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Letters that are the same but for their case, for patterns with the flag <c>i</c>. Used by <see cref="RegexParser"/>.</summary>
internal static class CaseFolding
{
    private const int LastWithCase = 0x1FFFF;

    private static readonly Lazy<(int Upper, int Lower)[]> Pairs = new(() =>
    [
        .. Enumerable.Range(0, LastWithCase).Where(Rune.IsValid).Select(value => new Rune(value))
            .SelectMany(rune => ((Rune, Rune)[])[(rune, Rune.ToLowerInvariant(rune)), (Rune.ToUpperInvariant(rune), rune)])
            .Where(pair => pair.Item1 != pair.Item2).Select(pair => (pair.Item1.Value, pair.Item2.Value)).Distinct(),
    ]);

    /// <summary>The set with both cases of each of its letters.</summary>
    public static RuneSet Both(RuneSet set) => RuneSet.Of(
        set.Ranges.Concat(
            Pairs.Value.Where(pair => set.Contains(pair.Upper) != set.Contains(pair.Lower))
                .SelectMany(pair => ((int, int)[])[(pair.Upper, pair.Upper), (pair.Lower, pair.Lower)])));
}
