using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>What fills and reads a cache of one element type.</summary>
/// <param name="Write">Rotates, and fills it.</param>
/// <param name="WriteNormed">The same after norms of heads.</param>
/// <param name="WriteLatent">Fills a latent cache.</param>
/// <param name="Attend">Reads it, whatever heads there are.</param>
/// <param name="FlashOfFour">On matrix cores, heads of up to 64 elements.</param>
/// <param name="FlashOfEight">Heads of up to 128.</param>
internal sealed record CacheKernels(
    Kernel Write, Kernel WriteNormed, Kernel WriteLatent, Kernel Attend, Kernel FlashOfFour, Kernel FlashOfEight)
{
    public static CacheKernels Of<TFormat, TElement>()
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged => new(
        Kernel.Of(RopeAndCache.Run<TFormat, TElement>),
        Kernel.Of(RopeAndCache.RunNormed<TFormat, TElement>),
        Kernel.Of(RopeAndCache.WriteLatent<TFormat, TElement>),
        Kernel.OfWaves(PagedAttention.Attend<TFormat, TElement>),
        Kernel.OfWaves(FlashAttention.Attend<TFormat, TElement, FourHeadTiles>),
        Kernel.OfWaves(FlashAttention.Attend<TFormat, TElement, EightHeadTiles>));

    /// <summary>On matrix cores; null for heads that only <see cref="Attend"/> takes.</summary>
    public Kernel? FlashOf(KvCacheLayout layout) => layout.IsLatent || layout.HeadDim > FlashAttention.MaxHeadDim ? null
        : layout.HeadDim > FlashAttention.MaxHeadDim / 2 ? FlashOfEight
        : FlashOfFour;
}
