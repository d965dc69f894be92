using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>A function of one element, on vectors of any width. Used by <see cref="ElementwiseJob{V, TSimd, TFunction}"/>.</summary>
internal interface IElementFunction
{
    V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V>;
}
