using Cluster.Worker.Compute.Ilgpu.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Tiles of 16 elements that a head has, for what keeps a head in registers.</summary>
internal interface IHeadTiles
{
    /// <summary>4 or 8.</summary>
    int Count { get; }
}

/// <summary>Heads of up to 64 elements.</summary>
internal readonly struct FourHeadTiles : IHeadTiles
{
    public int Count => 4;
}

/// <summary>Heads of up to 128 elements.</summary>
internal readonly struct EightHeadTiles : IHeadTiles
{
    public int Count => 8;
}

/// <summary>A lane's four elements of each tile of a head.</summary>
internal struct HeadQuads
{
    public Float4 A;
    public Float4 B;
    public Float4 C;
    public Float4 D;
    public Float4 E;
    public Float4 F;
    public Float4 G;
    public Float4 H;
}
