using System.Buffers.Binary;
using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary>Integer weights of compressed-tensors, one for each code; read by <see cref="CompressedTensorsGroup"/>.</summary>
/// <remarks>
/// <code>
/// pack-quantized  weight_packed      I32 [out, in · bits / 32]     a word: consecutive inputs of one output, the first in the low bits;
///                                                                  codes are offset by 2^(bits − 1), so the smallest is 0
///                 weight_shape       I64 [2]                       out, in: words at the end of a row may be part empty
///                 weight_zero_point  I32 [out · bits / 32, groups] asymmetric: consecutive outputs of one group, offset likewise
/// int-quantized   weight             I8 [out, in]
///                 weight_zero_point  I8 [out, groups]              asymmetric
/// both            weight_scale       [out, groups], [out, 1] for strategy channel, [] or [1] for tensor
///                 weight_g_idx       I32 [in]                      actorder: group of each input in any order; −1 for consecutive ones
/// </code>
/// </remarks>
/// <param name="Bits">4 or 8.</param>
/// <param name="Strategy">tensor, channel or group.</param>
/// <param name="GroupSize">Inputs of a group; -1 for all.</param>
/// <param name="IsSymmetric">Zeros are in the middle of the range.</param>
internal sealed record CompressedIntegers(bool IsPacked, int Bits, string Strategy, int GroupSize, bool IsSymmetric)
{
    private const string Packed = ".weight_packed";
    private const string Shape = ".weight_shape";
    private const string Zeros = ".weight_zero_point";
    private const string GroupIndex = ".weight_g_idx";

    /// <param name="inputs">How the layer's inputs are rounded; null where they stay floats.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has a wrong type, shape or value.</exception>
    public GroupedMatrix Read(LayerTensors layer, IntegerInputs? inputs)
    {
        var groups = GroupScales.Count(layer, GroupSize, Fp8Layout.ScaleSuffix);
        var scales = GroupScales.ReadByOutput(
            layer, Fp8Layout.ScaleSuffix, groups, GroupsOf(layer, groups), isOneForAll: Strategy == "tensor");
        if (!IsPacked)
        {
            return new Int8Matrix(
                layer.Name, layer.Take(LayerTensors.Weight, DType.I8, layer.Outputs, layer.Inputs), Int8Zeros(layer, groups), scales)
            {
                Inputs = inputs,
            };
        }

        RequireShape(layer);
        var perWord = 32 / Bits;
        var words = layer.Take(Packed, DType.I32, layer.Outputs, layer.Inputs.Covering(perWord));
        var zeros = IsSymmetric ? null : layer.Take(Zeros, DType.I32, layer.Outputs.Covering(perWord), groups);
        return new PackedMatrix(layer, Bits, words, zeros, scales) { Inputs = inputs };
    }

    private HostTensor? Int8Zeros(LayerTensors layer, int groups)
    {
        if (IsSymmetric)
        {
            return null;
        }

        return Strategy == "tensor" ? layer.Take(Zeros, DType.I8, 1) : layer.Take(Zeros, DType.I8, layer.Outputs, groups);
    }

    private static ImmutableArray<int> GroupsOf(LayerTensors layer, int groups)
    {
        var consecutive = GroupScales.Consecutive(layer, groups);
        if (!layer.Has(GroupIndex))
        {
            return consecutive;
        }

        // The whole of it is -1 where no order was chosen.
        var index = layer.Take(GroupIndex, DType.I32, layer.Inputs);
        return Enumerable.Range(0, index.Rows).All(k => (int)index.Word(k, 0) == -1)
            ? consecutive
            : GroupScales.ReadIndex(layer, GroupIndex, groups);
    }

    private static void RequireShape(LayerTensors layer)
    {
        var shape = layer.Take(Shape, DType.I64, 2);
        var outputs = BinaryPrimitives.ReadInt64LittleEndian(shape.Row(0));
        var inputs = BinaryPrimitives.ReadInt64LittleEndian(shape.Row(1));
        if ((outputs, inputs) != (layer.Outputs.Full, layer.Inputs.Full))
        {
            throw layer.Wrong(
                Shape, $"is [{outputs}, {inputs}]; config.json calls for [{layer.Outputs.Full}, {layer.Inputs.Full}]");
        }
    }
}
