using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Models.Quantization;

/// <summary>A matrix of one expert in MXFP4; checked by <see cref="Mxfp4Scheme"/>.</summary>
/// <param name="blocks">U8 <c>[out, groups, 16]</c>: two codes a byte, the earlier input in the low half.</param>
/// <param name="scales">U8 <c>[out, groups]</c>.</param>
internal sealed class Mxfp4Expert(LayerTensors layer, HostTensor blocks, HostTensor scales)
    : Mxfp4Matrix(layer.Name, layer.Outputs.Count, layer.Inputs.Count, layer.Inputs.First % GroupSize)
{
    private readonly int _firstInput = layer.Inputs.First;

    public override byte Exponent(int group, int output) => scales.Row(output)[(_firstInput / GroupSize) + group];

    public override void ReadCodes(int k, int firstOutput, Span<byte> destination)
    {
        var input = _firstInput + k;
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (byte)((blocks.Row(firstOutput + i)[input / 2] >> (4 * (input % 2))) & 15);
        }
    }
}
