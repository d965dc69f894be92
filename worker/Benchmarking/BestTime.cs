using System.Diagnostics;

namespace Cluster.Worker.Benchmarking;

/// <summary>Times a repeated action on a machine that others use too.</summary>
internal static class BestTime
{
    /// <summary>Seconds of the fastest of the runs that fit the budget: disturbances only ever add time. At least three are timed after a
    /// first that warms up.</summary>
    public static double Of(Action action, double budgetSeconds = 0.4)
    {
        action();
        var best = double.MaxValue;
        var start = Stopwatch.GetTimestamp();
        for (var run = 0; run < 3 || Stopwatch.GetElapsedTime(start).TotalSeconds < budgetSeconds; run++)
        {
            var begin = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(begin).TotalSeconds);
        }

        return best;
    }
}
