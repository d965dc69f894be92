using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How the codes of a panel become floats (see <see cref="QuantizedPanels"/> for the picture). Called by
/// <see cref="QuantizedGemmJob{V, TSimd, TCodes}"/>, which is compiled once for each kind.</summary>
internal unsafe interface IPanelCodes
{
    /// <summary>Writes the weights of a run of inputs as <see cref="F32Panel"/> stores them.</summary>
    /// <param name="table">The panel's entries.</param>
    /// <param name="codes">The panel's codes.</param>
    /// <param name="target"><c>[count][panel width]</c>.</param>
    static abstract void Decode<V, TSimd>(byte* table, uint* codes, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>;
}
