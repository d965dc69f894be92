namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>A context is attended in stretches that begin at fixed positions. Each has a softmax of its own; their results are merged in
/// order, with the same arithmetic wherever a stretch was computed. So threads may share a context, and no bit tells it.</summary>
internal static class AttentionStretch
{
    public const int Slots = 256;

    public const int Tiles = Slots / CpuKvCache.TileSlots;

    /// <summary>The first position that a query sees.</summary>
    /// <param name="window">0 for none.</param>
    /// <param name="chunk">0 for none.</param>
    public static int FirstSeen(int position, int window, int chunk) => Math.Max(
        window == 0 ? 0 : Math.Max(0, position - window + 1), chunk == 0 ? 0 : position / chunk * chunk);
}
