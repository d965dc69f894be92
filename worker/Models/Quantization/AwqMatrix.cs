using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Models.Quantization;

/// <summary>A layer in AWQ's layout; checked by <see cref="AwqScheme"/>.</summary>
internal sealed class AwqMatrix(LayerTensors layer, HostTensor codes, HostTensor zeros, GroupScales scales)
    : GroupedMatrix(layer.Name, layer.Outputs.Count, layer.Inputs.Count, scales.GroupOf)
{
    public const int OutputsPerWord = 8;

    /// <summary>Where in a word each of its outputs is: the words have outputs 0, 2, 4, 6, 1, 3, 5, 7 from the low bits up.</summary>
    private static readonly int[] Places = [0, 4, 1, 5, 2, 6, 3, 7];

    public override int Bits => 4;

    public override int Groups => scales.Groups;

    public override DType ScaleDType => scales.DType;

    public override float Scale(int group, int output) => scales.Values[group * OutFeatures + output];

    public override int Zero(int group, int output) => Code(zeros, scales.Rows[group], output);

    public override void ReadCodes(int k, int firstOutput, Span<byte> destination)
    {
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (byte)Code(codes, k, firstOutput + i);
        }
    }

    private static int Code(HostTensor words, int row, int output) =>
        (int)(words.Word(row, output / OutputsPerWord) >> (4 * Places[output % OutputsPerWord])) & 15;
}
