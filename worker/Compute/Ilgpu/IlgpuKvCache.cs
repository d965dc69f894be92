using System.Collections.Immutable;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>Keys and values, one piece of memory each for a layer; of a latent cache only keys. Layout: see
/// <see cref="Kernels.RopeAndCache"/>.</summary>
internal sealed class IlgpuKvCache(KvCacheLayout layout, ImmutableArray<MemoryRange> keys, ImmutableArray<MemoryRange> values)
    : KvCache(layout)
{
    public ImmutableArray<MemoryRange> Keys => keys;

    public ImmutableArray<MemoryRange> Values => values;

    /// <summary>Pieces of 16 bytes in a head, the last padded.</summary>
    public int HeadPieces { get; } = HeadPiecesOf(layout);

    /// <summary>Pieces in a block of a layer's keys.</summary>
    public int BlockPieces => HeadPieces * Layout.BlockSize * Layout.KvHeads;

    public static int HeadPiecesOf(KvCacheLayout layout)
    {
        var elements = 16 / layout.DType.Size();
        return (layout.HeadDim + elements - 1) / elements;
    }
}
