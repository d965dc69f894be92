namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>A context is attended in stretches that begin at fixed positions. Each has a softmax of its own; their results are merged in
/// order, with the same arithmetic wherever a stretch was computed. So threads may share a context, and no bit tells it.</summary>
internal static class AttentionStretch
{
    public const int Slots = 256;

    public const int Tiles = Slots / CpuKvCache.TileSlots;

    /// <summary>From so many tasks on for each thread none is so long that others wait for it.</summary>
    private const int TasksPerThread = 4;

    /// <summary>The first position that a query sees.</summary>
    /// <param name="window">0 for none.</param>
    /// <param name="chunk">0 for none.</param>
    public static int FirstSeen(int position, int window, int chunk) => Math.Max(
        window == 0 ? 0 : Math.Max(0, position - window + 1), chunk == 0 ? 0 : position / chunk * chunk);

    /// <summary>Tasks that share a context: several where there are too few tasks for the threads, so that one long sequence is as fast as
    /// many. What they sum in each stretch is written to memory and merged in the end, which many tasks do not need.</summary>
    /// <param name="tasks">Runs of rows times KV heads.</param>
    /// <param name="stretches">Of the longest context.</param>
    public static int PiecesOf(int tasks, int threads, int stretches) => threads == 1 || tasks == 0
        ? 1
        : Math.Clamp(TasksPerThread * threads / tasks, 1, Math.Max(1, stretches));
}
