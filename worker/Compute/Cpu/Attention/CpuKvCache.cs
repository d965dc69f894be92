using Cluster.Worker.Compute.Cpu.Memory;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Keys and values of all layers in host memory. Written and read through <see cref="KvLayer"/>.</summary>
/// <remarks>
/// A layer's keys, then its values; blocks inside, KV heads inside a block. Keys are transposed, so that the scores of 16 slots are the
/// lanes of a vector and need no horizontal sum; values are not, so that the lanes of the output are:
/// <code>
///                         one block of one KV head, 16 slots
/// keys    │d0: s0 s1 … s15│d1: s0 s1 … s15│ … │d headDim-1: s0 … s15│
/// values  │s0: d0 d1 … d headDim-1│s1: d0 d1 …│ … │s15: …│
/// </code>
/// A latent cache (<see cref="KvCacheLayout.IsLatent"/>) has only rows, as values are the first elements of keys:
/// <code>
/// keys    │s0: d0 d1 … d headDim-1│s1: d0 d1 …│ … │s15: …│
/// </code>
/// Elements are F32, 16-bit floats, or FP8 of a byte each.
/// Slots not written since the block was last freed hold stale numbers: readers skip them, they never multiply them by zero.
/// </remarks>
internal sealed unsafe class CpuKvCache(KvCacheLayout layout, NativeMemoryBlock memory) : KvCache(layout)
{
    /// <summary>Slots that kernels take at a time; a block has a whole number of such tiles.</summary>
    public const int TileSlots = 16;

    /// <summary>Bytes of a layer's keys.</summary>
    private long KeyBytes => (long)Layout.NumBlocks * Layout.KvHeads * Layout.HeadDim * Layout.BlockSize * Layout.DType.Size();

    /// <param name="scales">See <see cref="KvScales"/>.</param>
    public KvLayer Layer(int layer, KvScales? scales)
    {
        var keys = memory.Address + Layout.Halves * Checked(layer) * KeyBytes;
        return new KvLayer(keys, keys + KeyBytes, Layout, KvScales.For(Layout.DType, scales));
    }

    /// <summary>Copies a block's keys and values in every layer.</summary>
    public void CopyBlock(int source, int destination)
    {
        var bytes = KeyBytes / Layout.NumBlocks;
        for (var half = 0; half < Layout.Halves * Layout.Layers; half++)
        {
            var blocks = memory.Address + half * KeyBytes;
            Buffer.MemoryCopy(blocks + source * bytes, blocks + destination * bytes, bytes, bytes);
        }
    }

    private long Checked(int layer) => layer >= 0 && layer < Layout.Layers
        ? layer
        : throw new ArgumentOutOfRangeException(nameof(layer), layer, $"the cache has {Layout.Layers} layers");
}
