using System.Collections.Concurrent;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>The kernels of <see cref="WarpAttention"/> for each type of cache; heads that they do not take have those of
/// <see cref="PagedAttention"/>.</summary>
internal static class WarpAttentionKernels
{
    private static readonly ConcurrentDictionary<(DType Cache, bool Rounds, bool IsWide, bool Shares), Kernel> Made = new();

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Kernel> All =>
    [
        .. from cache in BackendKernels.Caches.Keys
           from rounds in new[] { false, true }
           from isWide in new[] { false, true }
           from shares in new[] { false, true }
           where !shares || CanShare(cache, isWide)
           select Of(cache, rounds, isWide, shares),
    ];

    /// <summary>Null for heads of more elements than fit, and for latent ones.</summary>
    /// <param name="rounds">See <see cref="IlgpuOptions.RoundsActivations"/>: queries and weights of the softmax become 16-bit floats, of
    /// the cache's own type where it has one.</param>
    /// <param name="rows">That share keys and values: of a step of one token for each sequence the query heads of a key head, of others
    /// more than are ever shared.</param>
    /// <returns>The kernel, and whether its warps share rows, of which it takes <see cref="WarpAttention.SharedRows"/>.</returns>
    public static (Kernel? Kernel, bool Shares) Of(KvCacheLayout layout, bool rounds, int rows)
    {
        if (layout.IsLatent || layout.HeadDim > FlashAttention.MaxHeadDim)
        {
            return (null, false);
        }

        var isWide = layout.HeadDim > FlashAttention.MaxHeadDim / 2;
        var shares = rows <= WarpAttention.SharedRows && CanShare(layout.DType, isWide);
        return (Of(layout.DType, rounds, isWide, shares), shares);
    }

    /// <summary>Whether shared memory has room for scores beside a tile: not beside three terms of 128 elements.</summary>
    private static bool CanShare(DType cache, bool isWide) => cache != DType.F32 || !isWide;

    private static Kernel Of(DType cache, bool rounds, bool isWide, bool shares) => Made.GetOrAdd(
        (cache, rounds, isWide, shares),
        static key =>
        {
            var half = key.Cache == DType.F16 && key.Rounds ? typeof(F16Format) : typeof(BF16Format);
            return Kernel.OfWaves(typeof(WarpAttention).GetMethod(nameof(WarpAttention.Attend))!.MakeGenericMethod(
                CacheOf(key.Cache, key.Rounds), half,
                key.Rounds ? typeof(RoundedTerm<>).MakeGenericType(half) : typeof(ExactTerms),
                key.IsWide ? typeof(EightHeadTiles) : typeof(FourHeadTiles), key.Shares ? typeof(OwnTokens) : typeof(OwnRows)));
        });

    /// <summary>An <see cref="ICacheTerms"/>. A half is two terms of bf16, which has the range of exact queries.</summary>
    private static Type CacheOf(DType cache, bool rounds) => cache switch
    {
        DType.F32 => typeof(DecodedTerms<F32Cache, float, ExactTerms>),
        DType.BF16 => typeof(WholeTerms<BF16Cache>),
        DType.F16 => rounds ? typeof(WholeTerms<F16Cache>) : typeof(DecodedTerms<F16Cache, ushort, TwoTerms>),
        DType.F8E4M3 => typeof(DecodedTerms<E4M3Cache, byte, RoundedTerm<BF16Format>>),
        _ => typeof(DecodedTerms<E5M2Cache, byte, RoundedTerm<BF16Format>>),
    };
}
