using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: awq</c> (Lin et al. 2023) in AutoAWQ's <c>gemm</c> layout with 4 bits.</summary>
/// <remarks>
/// <code>
/// qweight  I32 [in, out / 8]       a word: eight outputs of one input, in the order 0, 2, 4, 6, 1, 3, 5, 7 from the low bits up
/// qzeros   I32 [groups, out / 8]   likewise
/// scales   [groups, out]
/// </code>
/// </remarks>
internal sealed class AwqScheme(int groupSize, LayerPatterns notConverted) : QuantizationScheme
{
    public override string Method => QuantizationMethods.Awq;

    public override string Description => $"awq, 4 bits, {(groupSize < 0 ? "one group" : $"groups of {groupSize}")}";

    public override string MarkerSuffix => ".qweight";

    public override int CutUnit => AwqMatrix.OutputsPerWord;

    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static AwqScheme Of(ConfigObject config)
    {
        // AutoAWQ's own file has other names than config.json.
        config = config.WithAliases(("bits", "w_bit"), ("group_size", "q_group_size"));
        if (config.Integer("bits", 1, 32) is var bits and not 4)
        {
            throw config.Invalid("bits", $"is {bits}; supported: 4");
        }

        if (!config.Boolean("zero_point", true))
        {
            throw config.Invalid("zero_point", "is false; supported: true");
        }

        if (config.OptionalString("version") is { } version && !version.Equals("gemm", StringComparison.OrdinalIgnoreCase))
        {
            throw config.Invalid("version", $"is '{version}'; supported: gemm");
        }

        return new AwqScheme(GroupScales.ReadGroupSize(config), LayerPatterns.Read(config, "modules_to_not_convert"));
    }

    public override bool Quantizes(string layer) => !notConverted.Contains(layer);

    public override QuantizedMatrix Read(LayerTensors layer)
    {
        var words = layer.Packed(MarkerSuffix, layer.Outputs, AwqMatrix.OutputsPerWord, "outputs");
        var groups = GroupScales.Count(layer, groupSize);
        var scales = GroupScales.Read(layer, groups, GroupScales.Consecutive(layer, groups));
        return new AwqMatrix(
            layer, layer.Take(MarkerSuffix, DType.I32, layer.Inputs, words), layer.Take(".qzeros", DType.I32, groups, words), scales);
    }
}
