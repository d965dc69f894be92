namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>A task of <see cref="AttentionJob{V, TSimd, TCodes}"/> and its share of scratch memory.</summary>
internal unsafe struct AttentionWork
{
    public AttentionItem Item;
    public int KvHead;
    public int FirstHead;

    /// <summary>Query heads of each row.</summary>
    public int Heads;
    public Query* Queries;

    /// <summary><c>[queries + 2][stretch]</c>.</summary>
    public float* Scores;

    /// <summary><c>[queries][valueDim]</c>.</summary>
    public float* Sums;
    public float* Part;
    public float* Tiles;

    public readonly int Count => Item.Rows * Heads;

    public readonly int FirstStretch => Queries[0].First / AttentionStretch.Slots;

    public readonly int EndStretch => Queries[Count - 1].Position / AttentionStretch.Slots + 1;
}
