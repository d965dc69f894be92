namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Tiles of rows that a group multiplies with the weights that it reads once: of 16 rows in <see cref="MatrixLinear"/>, of 8 in
/// <see cref="WarpLinear"/>.</summary>
internal interface IRowTiles
{
    /// <summary>1, 2, 4 or 8.</summary>
    int Count { get; }
}

/// <summary>One.</summary>
internal readonly struct OneTile : IRowTiles
{
    public int Count => 1;
}

/// <summary>Two.</summary>
internal readonly struct TwoTiles : IRowTiles
{
    public int Count => 2;
}

/// <summary>Four.</summary>
internal readonly struct FourTiles : IRowTiles
{
    public int Count => 4;
}

/// <summary>Eight, of 8 rows.</summary>
internal readonly struct EightTiles : IRowTiles
{
    public int Count => 8;
}
