using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary>The tensors of an FP8 layer, as <see cref="Fp8Scheme"/>, <see cref="CompressedTensorsScheme"/> and <see cref="QuarkScheme"/>
/// all store them.</summary>
/// <remarks>
/// <code>
/// weight        F8_E4M3 [out, in]
/// weight_scale  [] or [1]            one for the tensor
///               [out] or [out, 1]    one for each output
///               [⌈out / b⌉, ⌈in / c⌉] one for each block of b outputs and c inputs; weight_scale_inv in fp8
/// input_scale   [] or [1]            calibrated for quantizing inputs, which stay F32 unless weights are integers: checked, then unused
/// </code>
/// </remarks>
internal static class Fp8Layout
{
    public const string ScaleSuffix = ".weight_scale";

    private const string InputScaleSuffix = ".input_scale";

    /// <param name="needsInputScale">The configuration says that inputs have a calibrated scale.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has a wrong type, shape or value.</exception>
    public static Fp8Matrix Read(LayerTensors layer, bool needsInputScale)
    {
        var codes = Codes(layer);
        _ = InputScale(layer, needsInputScale);
        return new Fp8Matrix(layer.Name, codes, ImmutableArray.Create(Scales(layer, ScaleSuffix, perOutput: true)));
    }

    /// <summary>A layer with a scale for each block: those at the end may be smaller, and a rank's part may begin and end within
    /// one.</summary>
    /// <param name="suffix">Of the scales.</param>
    /// <param name="needsInputScale">The configuration says that inputs have a calibrated scale.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has a wrong type, shape or value.</exception>
    public static BlockFp8Matrix ReadBlocks(LayerTensors layer, string suffix, ScaleBlocks blocks, bool needsInputScale)
    {
        var codes = Codes(layer);
        _ = InputScale(layer, needsInputScale);
        var (_, scales) = layer.TakeFloats(suffix, layer.Outputs.Covering(blocks.Outputs), layer.Inputs.Covering(blocks.Inputs));
        return new BlockFp8Matrix(
            layer.Name, codes, BlockOf(layer.Outputs, blocks.Outputs), BlockOf(layer.Inputs, blocks.Inputs), [.. scales]);
    }

    /// <summary>The scale that inputs have from a calibration; null where there is none.</summary>
    /// <param name="isNeeded">The configuration says that there is one.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has a wrong type, shape or value.</exception>
    public static float? InputScale(LayerTensors layer, bool isNeeded) =>
        isNeeded || layer.Has(InputScaleSuffix) ? CheckedScale(layer, InputScaleSuffix) : null;

    /// <summary>One scale for a tensor.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has a wrong type, shape or value.</exception>
    public static float CheckedScale(LayerTensors layer, string suffix)
    {
        var scale = Scales(layer, suffix, perOutput: false)[0];
        return scale > 0 ? scale : throw layer.Wrong(suffix, $"is {scale}; expected more than 0");
    }

    private static HostTensor Codes(LayerTensors layer)
    {
        var codes = layer.Take(LayerTensors.Weight, DType.F8E4M3, layer.Outputs, layer.Inputs);
        for (var row = 0; row < codes.Rows; row++)
        {
            var column = codes.Row(row).IndexOfAny(Fp8.NaN, (byte)(Fp8.NaN | 0x80));
            if (column >= 0)
            {
                throw layer.Wrong(
                    LayerTensors.Weight,
                    $"has NaN (code 0x{codes.Row(row)[column]:X2}) at [{layer.Outputs.First + row}, {layer.Inputs.First + column}]; "
                    + $"every weight must be a number");
            }
        }

        return codes;
    }

    /// <summary>The block of each feature kept, the first being 0.</summary>
    private static ImmutableArray<int> BlockOf(Slice features, int size) =>
        [.. Enumerable.Range(features.First, features.Count).Select(feature => (feature / size) - (features.First / size))];

    private static float[] Scales(LayerTensors layer, string suffix, bool perOutput)
    {
        var shape = layer.ShapeOf(suffix);
        var count = layer.Outputs.Full;
        if (shape.Length == 0 || shape.SequenceEqual([1]))
        {
            var all = new float[perOutput ? layer.Outputs.Count : 1];
            Array.Fill(all, (shape.Length == 0 ? layer.TakeFloats(suffix) : layer.TakeFloats(suffix, 1)).Values[0]);
            return all;
        }

        return perOutput && (shape.SequenceEqual([count]) || shape.SequenceEqual([count, 1]))
            ? (shape.Length == 1 ? layer.TakeFloats(suffix, layer.Outputs) : layer.TakeFloats(suffix, layer.Outputs, 1)).Values
            : throw layer.Wrong(
                suffix,
                $"has shape [{string.Join(", ", shape.ToArray())}]; expected [] or "
                + $"[1]{(perOutput ? $", or [{count}] or [{count}, 1]" : "")}");
    }
}
