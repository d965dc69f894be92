namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Tiles of 16 rows that a group multiplies with the weights that it reads once.</summary>
internal interface IRowTiles
{
    /// <summary>1, 2 or 4.</summary>
    int Count { get; }
}

/// <summary>Up to 16 rows.</summary>
internal readonly struct OneTile : IRowTiles
{
    public int Count => 1;
}

/// <summary>Up to 32 rows.</summary>
internal readonly struct TwoTiles : IRowTiles
{
    public int Count => 2;
}

/// <summary>Up to 64 rows.</summary>
internal readonly struct FourTiles : IRowTiles
{
    public int Count => 4;
}
