using Cluster.Common.Benchmarking;

namespace Cluster.Benchmarks.Compare;

/// <summary>What was measured for a row.</summary>
/// <param name="Ours">One figure a round.</param>
/// <param name="Peer">The same; empty where the peer could not be had.</param>
/// <param name="CeilingShare">Of the median: the least time that the machine's ceilings allow for the work, divided by what it took. Null
/// where no ceiling is known.</param>
/// <param name="Ceiling">Which one it is.</param>
internal sealed record RowResult(
    CompareRow Row, IReadOnlyList<double> Ours, IReadOnlyList<double> Peer, double? CeilingShare = null, string? Ceiling = null)
{
    public double OurMedian => Median(Ours);

    public double? PeerMedian => Peer.Count == 0 ? null : Median(Peer);

    /// <summary>How many times as good as the peer: above 1 is ahead, whatever the unit. The median of the rounds' ratios, since what else
    /// the machine did meanwhile met both sides of a round.</summary>
    public double? Ratio
    {
        get
        {
            var rounds = Math.Min(Ours.Count, Peer.Count);
            return rounds == 0 ? null : Median([
                .. Enumerable.Range(0, rounds).Select(round => Row.LessIsBetter ? Peer[round] / Ours[round] : Ours[round] / Peer[round])]);
        }
    }

    /// <summary>Null where there is no goal, or nothing to compare with.</summary>
    public bool? MeetsGoal => Row.Goal is { } goal && Ratio is { } ratio ? ratio >= goal : null;

    private static double Median(IReadOnlyList<double> values) => new SampleStatistics(values).Median;
}
