using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Quantized;

/// <summary>weight[n, k] = E4M3(code[n, k]) · scale[n]. A scale for the whole tensor is given once for each output.</summary>
/// <param name="codes">F8_E4M3 <c>[out, in]</c> without NaN.</param>
/// <param name="scales"><c>[out]</c>, finite.</param>
internal sealed class Fp8Matrix(string name, HostTensor codes, ImmutableArray<float> scales)
    : QuantizedMatrix(name, codes.Rows, codes.RowLength)
{
    public override QuantizedKind Kind => QuantizedKind.Fp8;

    public override int Bits => 8;

    public override DType TableDType => DType.F32;

    public float Scale(int output) => scales[output];

    public override ReadOnlySpan<byte> BytesOf(int output) => codes.Row(output);

    public override float WeightOf(int output, int k, byte code) => Fp8.FromE4M3(code) * Scale(output);
}
