using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>How a panel stores the weights of two consecutive k for its outputs (see <see cref="PackedWeight"/> for the picture).
/// Called by <see cref="GemmKernels{V, TSimd, TFormat}"/>, which is compiled once for each format.</summary>
internal unsafe interface IPanelFormat
{
    /// <summary>Bytes that one output takes for a k pair.</summary>
    static abstract int PairBytes { get; }

    /// <summary>Whether turning weights into floats takes so many instructions that many rows should share the result through
    /// memory.</summary>
    static abstract bool WidensSlowly { get; }

    /// <summary>Whether weights come from memory, so that a kernel should ask for those to come.</summary>
    static virtual bool IsFar => true;

    /// <summary>Weights of the first k of a pair, for vector 0 or 1 of the panel.</summary>
    static abstract V Even<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V>;

    /// <summary>Weights of the second k of a pair, for vector 0 or 1 of the panel.</summary>
    static abstract V Odd<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V>;
}
