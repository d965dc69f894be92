using System.Collections.Concurrent;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>The kernels of <see cref="Linear"/> for each way weights are coded; <see cref="MatrixKernels"/> has those for matrix
/// cores.</summary>
internal static class LinearKernels
{
    private static readonly ConcurrentDictionary<(WeightFormat Format, bool WholeQuads, bool Experts), Kernel> Made = new();

    private static readonly ConcurrentDictionary<WeightFormat, Kernel> MadeGated = new();

    private static readonly ConcurrentDictionary<WeightFormat, Kernel> MadeRouters = new();

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Kernel> All =>
    [
        .. from format in Formats
           from experts in new[] { false, true }
           from wholeQuads in new[] { true, false }
           select Of(format, wholeQuads, experts),
        .. Formats.Select(Gated), .. Formats.Where(format => format.Kind == WeightKind.Plain).Select(Router),
    ];

    /// <summary>Every way weights are coded.</summary>
    public static IEnumerable<WeightFormat> Formats
    {
        get
        {
            DType[] floats = [DType.F32, DType.F16, DType.BF16];
            return
            [
                .. floats.Select(WeightFormat.Plain),
                new WeightFormat(WeightKind.Fp8, DType.F32, 8),
                .. from bits in new[] { 4, 8 }
                   from scale in floats
                   from isScattered in new[] { false, true }
                   select new WeightFormat(WeightKind.Grouped, scale, bits, isScattered),
                .. from isScattered in new[] { false, true }
                   from kind in new[]
                   {
                       new WeightFormat(WeightKind.BlockFp8, DType.F32, 8), new WeightFormat(WeightKind.Mxfp4, DType.U8, 4),
                   }
                   select kind with { IsScattered = isScattered },
                .. floats.Select(entry => new WeightFormat(WeightKind.Lookup, entry, 4)),
                .. from bits in new[] { 4, 5, 6 }
                   from isScattered in new[] { false, true }
                   select new WeightFormat(WeightKind.Superblock, DType.F16, bits, isScattered),
            ];
        }
    }

    /// <param name="wholeQuads">Rows of inputs are whole quads.</param>
    /// <param name="experts">Each row has an expert of its own.</param>
    public static Kernel Of(WeightFormat format, bool wholeQuads, bool experts) => Made.GetOrAdd(
        (format, wholeQuads, experts),
        static key => Kernel.OfWaves(
            typeof(Linear).GetMethod(key.Experts ? nameof(Linear.MultiplyExperts) : nameof(Linear.Multiply))!
                .MakeGenericMethod(key.Format.KernelType, key.WholeQuads ? typeof(QuadInput) : typeof(AnyInput))));

    /// <summary>With the activation of an MLP, for rows of whole quads.</summary>
    public static Kernel Gated(WeightFormat format) => MadeGated.GetOrAdd(
        format,
        static key => Kernel.OfWaves(
            typeof(Linear).GetMethod(nameof(Linear.MultiplyGated))!.MakeGenericMethod(key.KernelType, typeof(QuadInput))));

    /// <summary>With the choice of experts, for rows of whole quads.</summary>
    public static Kernel Router(WeightFormat format) => MadeRouters.GetOrAdd(
        format,
        static key => Kernel.OfWaves(typeof(Router).GetMethod(nameof(Kernels.Router.Multiply))!.MakeGenericMethod(key.KernelType)));
}
