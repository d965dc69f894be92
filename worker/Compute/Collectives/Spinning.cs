using System.Diagnostics;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>How long a thread looks out for another that it meets again and again, before it sleeps. Used by the barrier of ranks.</summary>
/// <remarks>Whoever sleeps comes back 30 to 100 µs late. By then the other waits for it, and where patience is shorter than that falls asleep in turn: each meeting costs
/// a waking for as long as they go on. So it is longer, where each has a processor of its own. Where they share one, the missing thread may be waiting for this very
/// processor, and every meeting would cost the whole time; yielding instead of sleeping is no better, for what else runs there takes its full turn.</remarks>
internal static class Spinning
{
    private static readonly long Long = Stopwatch.Frequency * 3 / 10_000; // 300 µs
    private static readonly long Short = Stopwatch.Frequency / 100_000; // 10 µs

    /// <summary>In ticks of <see cref="Stopwatch"/>.</summary>
    /// <param name="threads">How many meet, in this process or others of this machine. Nobody else should need their processors: the time is theirs.</param>
    public static long TicksFor(int threads) => threads <= Environment.ProcessorCount ? Long : Short;
}
