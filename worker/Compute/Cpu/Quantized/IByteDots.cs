using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How bytes of weights are multiplied by rounded inputs, four k at a time. Integers are exact: all ways give the same sums.
/// Called by <see cref="IntegerKernels{V, TSimd, TDots}"/>, which is compiled once for each.</summary>
internal unsafe interface IByteDots
{
    /// <summary>Words that the inputs of a row take for four k, one for each multiplication: 1 or 2.</summary>
    static abstract int Steps { get; }

    /// <summary>Writes four inputs of a row.</summary>
    /// <param name="inputs">From −128 to 127.</param>
    /// <param name="target">Receives <see cref="Steps"/> words, <paramref name="stride"/> apart.</param>
    static abstract void Store(Vector128<int> inputs, int* target, int stride);

    /// <summary>What the inputs' first word is multiplied with.</summary>
    static abstract V First<V, TSimd>(V words)
        where V : unmanaged
        where TSimd : ISimd<V>;

    /// <summary>What the second is multiplied with.</summary>
    static abstract V Second<V, TSimd>(V words)
        where V : unmanaged
        where TSimd : ISimd<V>;

    static abstract V Add<V, TSimd>(V weights, int x, V sums)
        where V : unmanaged
        where TSimd : ISimd<V>;
}
