using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>One non-linearity, on vectors of any width.</summary>
internal interface IActivation
{
    static abstract V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V>;
}
