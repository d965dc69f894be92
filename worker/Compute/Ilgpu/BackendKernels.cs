using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>Every kernel that <see cref="IlgpuBackend"/> launches; those of <see cref="Linear"/> are in
/// <see cref="LinearKernels"/>.</summary>
internal static class BackendKernels
{
    public static Kernel EmbedFloats { get; } = Kernel.Of(Rows.EmbedFloats);

    public static Kernel EmbedF16 { get; } = Kernel.Of(Rows.EmbedHalves<F16Format>);

    public static Kernel EmbedBF16 { get; } = Kernel.Of(Rows.EmbedHalves<BF16Format>);

    public static Kernel Gather { get; } = Kernel.Of(Rows.Gather);

    public static Kernel CopyBlocks { get; } = Kernel.Of(Rows.CopyBlocks);

    public static Kernel Rms { get; } = Kernel.OfWaves(Norms.Rms);

    public static Kernel Layer { get; } = Kernel.OfWaves(Norms.Layer);

    public static Kernel RmsHeads { get; } = Kernel.Of(Norms.RmsHeads);

    public static Kernel LayerHeads { get; } = Kernel.Of(Norms.LayerHeads);

    public static Kernel SumSquares { get; } = Kernel.OfWaves(Norms.SumSquares);

    public static Kernel RmsScale { get; } = Kernel.Of(Norms.RmsScale);

    public static Kernel Xielu { get; } = Kernel.Of(Elementwise.Xielu);

    public static Kernel Add { get; } = Kernel.Of(Elementwise.Add);

    public static Kernel Scale { get; } = Kernel.Of(Elementwise.Apply<ScaleFunction>);

    public static Kernel ScaleRows { get; } = Kernel.Of(Elementwise.ScaleRows);

    public static Kernel SoftCap { get; } = Kernel.Of(Elementwise.Apply<SoftCapFunction>);

    public static IReadOnlyDictionary<Activation, (Kernel Plain, Kernel Gated)> Activations { get; } =
        new Dictionary<Activation, (Kernel, Kernel)>
        {
            [Activation.Silu] = OfFunction<SiluFunction>(),
            [Activation.Gelu] = OfFunction<GeluFunction>(),
            [Activation.GeluTanh] = OfFunction<GeluTanhFunction>(),
            [Activation.Relu] = OfFunction<ReluFunction>(),
            [Activation.Sigmoid] = OfFunction<SigmoidFunction>(),
            [Activation.Relu2] = OfFunction<Relu2Function>(),
        };

    public static Kernel ClampedGate { get; } = Kernel.Of(Elementwise.ClampedGate);

    public static Kernel Route { get; } = Kernel.Of(Experts.Route);

    public static Kernel Sort { get; } = Kernel.Of(Experts.Sort);

    public static Kernel SortByHead { get; } = Kernel.Of(Experts.SortByHead);

    public static Kernel SumExperts { get; } = Kernel.Of(Elementwise.SumExperts);

    public static Kernel Rotate { get; } = Kernel.Of(RopeAndCache.Rotate);

    /// <summary>By the cache's element type: what fills it, and what reads it.</summary>
    public static IReadOnlyDictionary<DType, CacheKernels> Caches { get; } = new Dictionary<DType, CacheKernels>
    {
        [DType.F32] = CacheKernels.Of<F32Cache, float>(),
        [DType.BF16] = CacheKernels.Of<BF16Cache, ushort>(),
        [DType.F16] = CacheKernels.Of<F16Cache, ushort>(),
        [DType.F8E4M3] = CacheKernels.Of<E4M3Cache, byte>(),
        [DType.F8E5M2] = CacheKernels.Of<E5M2Cache, byte>(),
    };

    public static Kernel RankSum { get; } = Kernel.Of(Kernels.RankSum.Run);

    public static Kernel CopyRows { get; } = Kernel.Of(Sampling.Copy);

    public static Kernel Adjust { get; } = Kernel.Of(Sampling.Adjust);

    public static Kernel Maxima { get; } = Kernel.Of(Sampling.Maxima);

    public static Kernel ChunkMaxima { get; } = Kernel.Of(Sampling.ChunkMaxima);

    public static Kernel Select { get; } = Kernel.OfWaves(Selection.Run);

    public static Kernel Masses { get; } = Kernel.Of(Sampling.Masses);

    public static Kernel ChunkMasses { get; } = Kernel.Of(Sampling.ChunkMasses);

    public static Kernel Stretches { get; } = Kernel.Of(Sampling.Stretches);

    public static Kernel Pick { get; } = Kernel.Of(Sampling.Pick);

    // Made when somebody asks: a device takes one kernel after another.
    private static readonly Lazy<IReadOnlyList<Kernel>> Portable = new(() =>
    [
        EmbedFloats, EmbedF16, EmbedBF16, Gather, CopyBlocks, Rms, Layer, RmsHeads, LayerHeads, SumSquares, RmsScale, Xielu, Add, Scale,
        ScaleRows, SoftCap,
        .. Activations.Values.SelectMany(pair => new[] { pair.Plain, pair.Gated }), ClampedGate, Route, Sort, SortByHead, SumExperts,
        Rotate, .. Caches.Values.SelectMany(cache => new[] { cache.Write, cache.WriteNormed, cache.WriteLatent, cache.Attend }), RankSum,
        CopyRows, Adjust,
        Maxima, ChunkMaxima, Select,
        Masses, ChunkMasses, Stretches, Pick, .. LinearKernels.All,
    ]);

    private static readonly Lazy<IReadOnlyList<Kernel>> Mfma = new(() =>
    [
        .. WithoutMatrixCores, .. Caches.Values.SelectMany(cache => new[] { cache.FlashOfFour, cache.FlashOfEight }), .. MatrixKernels.All,
    ]);

    private static readonly Lazy<IReadOnlyList<Kernel>> Mma = new(() =>
        [.. WithoutMatrixCores, .. WarpKernels.All, .. WarpAttentionKernels.All]);

    /// <summary>What a device without matrix cores runs.</summary>
    public static IReadOnlyList<Kernel> WithoutMatrixCores => Portable.Value;

    /// <summary>Those, and what a device with <see cref="Launch.MatrixCores.Mfma"/> runs.</summary>
    public static IReadOnlyList<Kernel> WithMfma => Mfma.Value;

    /// <summary>Those, and what a device with <see cref="Launch.MatrixCores.Mma"/> runs.</summary>
    public static IReadOnlyList<Kernel> WithMma => Mma.Value;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Kernel> All => [.. WithMfma.Union(WithMma)];

    private static (Kernel Plain, Kernel Gated) OfFunction<TFunction>()
        where TFunction : struct, IFunction => (Kernel.Of(Elementwise.Apply<TFunction>), Kernel.Of(Elementwise.Gate<TFunction>));
}
