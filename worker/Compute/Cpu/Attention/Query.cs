namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>One query head of one row and what its softmax has seen so far. Kept in the scratch memory of
/// <see cref="AttentionJob{V, TSimd, TCodes}"/>.</summary>
internal unsafe struct Query
{
    public float* Vector;
    public float* Output;

    /// <summary>The positions it sees are [First, Position].</summary>
    public int First;
    public int Position;

    /// <summary>Multiplies q·k.</summary>
    public float Scale;
    public float Maximum;
    public float Sum;

    /// <summary>The slots it sees of so many from <paramref name="slot"/> on, relative to it; none when From ≥ To.</summary>
    public readonly (int From, int To) VisibleIn(int slot, int slots) => (Math.Max(0, First - slot), Math.Min(slots, Position + 1 - slot));
}
