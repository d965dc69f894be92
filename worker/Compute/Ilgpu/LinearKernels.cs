using System.Collections.Concurrent;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>The kernels of <see cref="Linear"/> and <see cref="MatrixLinear"/> for each way weights are coded.</summary>
internal static class LinearKernels
{
    private static readonly ConcurrentDictionary<(WeightFormat Format, bool WholeQuads, bool Experts, bool Matrix), Kernel> Made = new();

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Kernel> All { get; } =
    [
        .. from format in Formats()
           from experts in new[] { false, true }
           from matrix in new[] { false, true }
           from wholeQuads in new[] { true, false }
           select Of(format, wholeQuads, experts, matrix),
    ];

    /// <param name="wholeQuads">Rows of inputs are whole quads.</param>
    /// <param name="experts">Each row has an expert of its own.</param>
    /// <param name="matrix">On matrix cores.</param>
    public static Kernel Of(WeightFormat format, bool wholeQuads, bool experts, bool matrix) => Made.GetOrAdd(
        (format, wholeQuads, experts, matrix),
        static key => Kernel.OfWaves(
            (key.Matrix ? typeof(MatrixLinear) : typeof(Linear))
                .GetMethod(key.Experts ? nameof(Linear.MultiplyExperts) : nameof(Linear.Multiply))!
                .MakeGenericMethod(key.Format.KernelType, key.WholeQuads ? typeof(QuadInput) : typeof(AnyInput))));

    private static IEnumerable<WeightFormat> Formats()
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
               from kind in new[] { new WeightFormat(WeightKind.BlockFp8, DType.F32, 8), new WeightFormat(WeightKind.Mxfp4, DType.U8, 4) }
               select kind with { IsScattered = isScattered },
            .. floats.Select(entry => new WeightFormat(WeightKind.Lookup, entry, 4)),
            .. from bits in new[] { 4, 5, 6 }
               from isScattered in new[] { false, true }
               select new WeightFormat(WeightKind.Superblock, DType.F16, bits, isScattered),
        ];
    }
}
