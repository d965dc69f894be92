namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How the warps of a group of <see cref="WarpAttention"/> share its work.</summary>
internal interface IWarpShare
{
    /// <summary>Whether all have the same rows.</summary>
    bool IsOfTokens { get; }
}

/// <summary>Each warp has 16 rows: prompts.</summary>
internal readonly struct OwnRows : IWarpShare
{
    public bool IsOfTokens => false;
}

/// <summary>All have the same 16 rows, a quarter of a tile's scores, and an eighth of the head's elements: decode, where a group has no
/// more rows, and one warp would be long about it.</summary>
internal readonly struct OwnTokens : IWarpShare
{
    public bool IsOfTokens => true;
}
