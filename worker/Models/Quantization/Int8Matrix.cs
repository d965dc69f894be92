using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Models.Quantization;

/// <summary>A layer in the layout <c>int-quantized</c>, checked by <see cref="CompressedIntegers"/>, or made by
/// <see cref="WeightRounding"/>. Signed bytes become codes by a bit: −128 is code 0.</summary>
/// <param name="weights">I8 <c>[out, in]</c>.</param>
/// <param name="zeros">I8 <c>[out, groups]</c>; null where every zero is 0.</param>
internal sealed class Int8Matrix(string name, HostTensor weights, HostTensor? zeros, GroupScales scales)
    : GroupedMatrix(name, weights.Rows, weights.RowLength, scales.GroupOf)
{
    private const int Middle = 128;

    public override int Bits => 8;

    public override int Groups => scales.Groups;

    public override DType ScaleDType => scales.DType;

    public override bool IsSymmetric => zeros is null || base.IsSymmetric;

    public override float Scale(int group, int output) => scales.Values[group * OutFeatures + output];

    public override int Zero(int group, int output) =>
        Middle + (zeros is null ? 0 : (sbyte)(zeros.Rows == 1 ? zeros.Row(0)[0] : zeros.Row(output)[scales.Rows[group]]));

    public override byte ByteMask => Middle;

    public override ReadOnlySpan<byte> BytesOf(int output) => weights.Row(output);
}
