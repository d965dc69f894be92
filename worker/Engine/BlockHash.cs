namespace Cluster.Worker.Engine;

/// <summary>Names the contents of a full KV block: its own tokens and, through the parent's hash, every token before them.
/// The default value is the parent of a sequence's first block.</summary>
internal readonly record struct BlockHash(ulong Low, ulong High)
{
    /// <summary>The same tokens in another group of layers. The hash is as good as random, so that this one is, too.</summary>
    public BlockHash In(int group) => this with { High = High ^ (uint)group };
}
