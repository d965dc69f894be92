using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Models.Quantization;

/// <summary>A layer in the layout <c>pack-quantized</c>; checked by <see cref="CompressedIntegers"/>.</summary>
/// <param name="words">Those that have the codes kept; a part may begin and end within one.</param>
/// <param name="zeros">Null where every zero is in the middle of the range.</param>
internal sealed class PackedMatrix(LayerTensors layer, int bits, HostTensor words, HostTensor? zeros, GroupScales scales)
    : GroupedMatrix(layer.Name, layer.Outputs.Count, layer.Inputs.Count, scales.GroupOf)
{
    private readonly int _firstInput = layer.Inputs.First % (32 / bits);
    private readonly int _firstOutput = layer.Outputs.First % (32 / bits);

    public override int Bits => bits;

    public override int Groups => scales.Groups;

    public override DType ScaleDType => scales.DType;

    public override bool IsSymmetric => zeros is null || base.IsSymmetric;

    public override float Scale(int group, int output) => scales.Values[group * OutFeatures + output];

    public override int Zero(int group, int output) => zeros is null
        ? 1 << (bits - 1)
        : PackedWords.Code(zeros, bits, _firstOutput + output, scales.Rows[group]);

    public override void ReadCodes(int k, int firstOutput, Span<byte> destination) =>
        PackedWords.ReadAlongRows(words, bits, _firstInput + k, firstOutput, destination);
}
