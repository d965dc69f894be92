namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Size of a group's tile in <see cref="WarpTileLinear"/>: what fits the 48 KiB that every device gives a group.</summary>
internal interface IWarpTile
{
    /// <summary>Tiles of 8 rows of a warp: 2 or 4.</summary>
    int Tiles { get; }

    /// <summary>Steps that shared memory has room for.</summary>
    int Stages { get; }
}

/// <summary>128 rows of one term, three steps of 16 KiB.</summary>
internal readonly struct WideTile : IWarpTile
{
    public int Tiles => 4;

    public int Stages => 3;
}

/// <summary>64 rows of three terms, two steps of 20 KiB.</summary>
internal readonly struct DeepTile : IWarpTile
{
    public int Tiles => 2;

    public int Stages => 2;
}
