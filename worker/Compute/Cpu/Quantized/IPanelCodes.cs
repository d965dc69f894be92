using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How the codes of a panel become floats (see <see cref="QuantizedPanels"/> for the picture). Called by
/// <see cref="QuantizedGemmJob{V, TSimd, TCodes}"/>, which is compiled once for each kind.</summary>
internal unsafe interface IPanelCodes
{
    /// <summary>Writes the weights of a run of inputs as <see cref="F32Panel"/> stores them.</summary>
    /// <param name="table">The panel's scales, zeros or entries.</param>
    /// <param name="codes">The panel's codes.</param>
    /// <param name="groups">Of the inputs; of no meaning to codes without groups.</param>
    /// <param name="target"><c>[count][panel width]</c>.</param>
    static abstract void Decode<V, TSimd>(byte* table, uint* codes, PanelGroups groups, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>;

    /// <summary>Whether <see cref="MultiplyRow"/> exists: for codes that take few instructions, of which a single row then needs no copy in
    /// floats.</summary>
    static virtual bool MultipliesRow => false;

    /// <summary>One row of inputs times two panels, decoded in registers. Each output takes its products in ascending k, one fused
    /// multiply-add each, as the kernels for decoded weights do it.</summary>
    /// <param name="panel">Where the first panel begins, with its table.</param>
    /// <param name="next">The second, or the first once more.</param>
    /// <param name="tableBytes">Bytes of a table; codes follow.</param>
    /// <param name="inputs">An even number.</param>
    /// <param name="start">What the sums of the first panel begin with.</param>
    /// <param name="result">Receives them.</param>
    static virtual void MultiplyRow<V, TSimd>(
        byte* panel, byte* next, long tableBytes, PanelGroups groups, int inputs, float* x, float* start, float* nextStart, float* result,
        float* nextResult)
        where V : unmanaged
        where TSimd : ISimd<V> => throw new NotSupportedException();
}
