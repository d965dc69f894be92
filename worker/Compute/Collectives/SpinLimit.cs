using System.Diagnostics;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>How long a rank that waits for others spins before it sleeps: learned from what spinning has brought. Asked by <see cref="RankBarrier"/>.</summary>
/// <remarks>
/// A rank that sleeps wakes about 50 µs late. If the others spin for less than that, they sleep in the next barrier, wake late in turn, and so on through all layers of
/// a step: ranks with processors of their own must spin for longer than waking takes. Where they share processors, the missing rank cannot arrive while others
/// spin, and the whole time is lost. Whether they share is not known (what else runs on the machine matters, too), so long spins are tried, given up when they bring nothing, and
/// tried again after a rest, a longer one each time.
/// </remarks>
/// <param name="processors">Processors that this process may use. Fewer than ranks: there is nothing to learn.</param>
/// <param name="ranks">Ranks of the group.</param>
internal sealed class SpinLimit(int processors, int ranks)
{
    /// <summary>About as far as ranks are apart that began together: lost even where they share a processor without much harm.</summary>
    public static readonly long Short = Stopwatch.Frequency / 100_000; // 10 µs

    /// <summary>Twice what waking takes.</summary>
    public static readonly long Long = Stopwatch.Frequency / 10_000; // 100 µs

    private const int MissesInARow = 2;
    private const int ShortestRest = 16;
    private const int LongestRest = 4096;

    private int _misses;
    private int _rest = ShortestRest;
    private int _restLeft;

    /// <summary>Ticks of <see cref="Stopwatch"/> to spin for in the next wait.</summary>
    public long Ticks => processors >= ranks && _restLeft == 0 ? Long : Short;

    /// <summary>The others came while this rank spun.</summary>
    public void Hit(long ticks)
    {
        // What a short spin would have brought as well says nothing of long ones.
        if (ticks > Short)
        {
            _misses = 0;
            _rest = Math.Max(ShortestRest, _rest / 2);
        }
    }

    /// <summary>They did not: this rank goes to sleep.</summary>
    public void Miss()
    {
        if (_restLeft > 0)
        {
            _restLeft--;
        }
        else if (++_misses == MissesInARow)
        {
            _misses = 0;
            _restLeft = _rest;
            _rest = Math.Min(LongestRest, 2 * _rest);
        }
    }
}
