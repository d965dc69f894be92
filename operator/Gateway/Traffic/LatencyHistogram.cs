using System.Numerics;

namespace Cluster.Operator.Gateway.Traffic;

/// <summary>Counts of durations in buckets that widen with the duration, as in HdrHistogram: each power of two is cut into 16 equal parts,
/// so that a percentile is at most 1/32 beside the truth whether it is a millisecond or a minute.
/// <code>
/// ticks    0 … 15 │ 16 17 … 31 │ 32 34 … 62 │ 64 68 … 124 │ …      a tick is 1/16 ms
/// bucket   0 … 15 │ 16 …    31 │ 32 …    47 │ 48 …     63 │ …      320 buckets: the last begins at 8 minutes
/// </code></summary>
/// <remarks>Not safe for threads: <see cref="TrafficLog"/> has a lock.</remarks>
internal sealed class LatencyHistogram
{
    private const int Parts = 16;
    private const int PartBits = 4;
    private const double TicksPerMillisecond = 16;
    private const int Buckets = 320;

    private readonly int[] _counts = new int[Buckets];

    public long Count { get; private set; }

    /// <summary>What is shorter than no time counts as none, and what is longer than the last bucket as that.</summary>
    public void Add(double milliseconds)
    {
        _counts[BucketOf(milliseconds)]++;
        Count++;
    }

    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < Buckets; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
    }

    /// <param name="quantile">0.5 is the median.</param>
    /// <returns>Milliseconds; null when nothing was counted.</returns>
    public double? Quantile(double quantile)
    {
        if (Count == 0)
        {
            return null;
        }

        var rank = Math.Max(1, (long)Math.Ceiling(quantile * Count));
        var bucket = 0;
        for (long seen = _counts[0]; seen < rank; seen += _counts[bucket])
        {
            bucket++;
        }

        return MiddleOf(bucket);
    }

    private static int BucketOf(double milliseconds)
    {
        var ticks = (long)Math.Clamp(milliseconds * TicksPerMillisecond, 0, long.MaxValue / 2);
        if (ticks < Parts)
        {
            return (int)ticks;
        }

        var shift = BitOperations.Log2((ulong)ticks) - PartBits;
        return (int)Math.Min((shift * Parts) + (ticks >> shift), Buckets - 1);
    }

    private static double MiddleOf(int bucket)
    {
        var shift = Math.Max(0, (bucket / Parts) - 1);
        var from = bucket < Parts ? bucket : (long)(Parts + (bucket % Parts)) << shift;
        return (from + ((1L << shift) / 2.0)) / TicksPerMillisecond;
    }
}
