using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Models.Quantization;

/// <summary>A layer in GPTQ's layout; checked by <see cref="GptqScheme"/>.</summary>
/// <param name="zeroOffset">What a stored zero lacks: 1 in the first version of the format.</param>
internal sealed class GptqMatrix(
    LayerTensors layer, int bits, int zeroOffset, HostTensor codes, HostTensor zeros, GroupScales scales)
    : GroupedMatrix(layer.Name, layer.Outputs.Count, layer.Inputs.Count, scales.GroupOf)
{
    public override int Bits => bits;

    public override int Groups => scales.Groups;

    public override DType ScaleDType => scales.DType;

    public override float Scale(int group, int output) => scales.Values[group * OutFeatures + output];

    public override int Zero(int group, int output)
    {
        var perWord = 32 / bits;
        return (int)((zeros.Word(scales.Rows[group], output / perWord) >> (bits * (output % perWord))) & ((1u << bits) - 1)) + zeroOffset;
    }

    public override void ReadCodes(int k, int firstOutput, Span<byte> destination) =>
        PackedWords.ReadAlongInputs(codes, bits, k, firstOutput, destination);
}
