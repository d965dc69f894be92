namespace Cluster.Worker.Models.Running;

/// <summary>How far back the queries of a layer read. Layers that reach as far share a group of <see cref="KvGroups"/>.</summary>
/// <param name="Window">Positions that a query sees, its own included (sliding window); 0 for no such limit.</param>
/// <param name="Chunk">A query sees from the last multiple of this on (chunked attention); 0 for no such limit.</param>
internal readonly record struct KvReach(int Window = 0, int Chunk = 0)
{
    /// <summary>Whether queries read everything before them.</summary>
    public bool IsFull => Window == 0 && Chunk == 0;

    /// <summary>Most positions that a query reads.</summary>
    private int Span => Window == 0 ? Chunk : Chunk == 0 ? Window : Math.Min(Window, Chunk);

    /// <summary>The earliest position that a query at this one reads, and no later query reads an earlier one.</summary>
    public int FirstRead(int position) =>
        Math.Max(Window == 0 ? 0 : position - Window + 1, Chunk == 0 ? 0 : position / Chunk * Chunk) is var first and > 0 ? first : 0;

    /// <summary>Most blocks that a sequence needs at once: those its step writes and those the step's queries read.</summary>
    /// <param name="length">Tokens it may come to have.</param>
    /// <param name="stepTokens">Most of them in one step.</param>
    public int MostBlocks(int length, int stepTokens, int blockSize)
    {
        var all = CeilingOf(length, blockSize);
        return IsFull ? all : (int)Math.Min(all, CeilingOf((long)Span - 1 + stepTokens, blockSize) + 1L);
    }

    /// <summary>For the start log.</summary>
    public override string ToString() => (Window, Chunk) switch
    {
        (0, 0) => "full",
        (_, 0) => $"with a window of {Window}",
        (0, _) => $"in chunks of {Chunk}",
        _ => $"with a window of {Window} in chunks of {Chunk}",
    };

    private static int CeilingOf(long tokens, int blockSize) => (int)((tokens + blockSize - 1) / blockSize);
}
