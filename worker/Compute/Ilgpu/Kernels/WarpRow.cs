namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>What a lane of <see cref="WarpAttention"/> knows of one of its rows, which is a query head of a token.</summary>
internal struct WarpRow
{
    /// <summary>Where its query begins.</summary>
    public long Query;

    /// <summary>Row · heads + head.</summary>
    public long Number;

    /// <summary>Of the head; 0 where there is no row.</summary>
    public int Elements;

    public int Position;

    /// <summary>The first token that it sees.</summary>
    public int Seen;

    /// <summary>Of its scores.</summary>
    public float Factor;

    /// <summary>Of ALiBi.</summary>
    public float Slope;

    /// <summary>A score without a value, or <see cref="PartialSoftmax.Nothing"/>.</summary>
    public float Sink;
}

/// <summary>Of a row, what its softmax has seen so far.</summary>
internal struct RunningSoftmax
{
    public float Max;

    /// <summary>Relative to it.</summary>
    public float Sum;
}
