using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: gptq</c> (Frantar et al. 2022) as AutoGPTQ and GPTQModel write it, with 4 or 8 bits.</summary>
/// <remarks>
/// <code>
/// qweight  I32 [in · bits / 32, out]    a word: consecutive inputs of one output, the first in the low bits
/// qzeros   I32 [groups, out · bits / 32] a word: consecutive outputs; holds zero − 1, or zero itself in checkpoint_format gptq_v2
/// scales   [groups, out]
/// g_idx    I32 [in]                     group of each input; with desc_act in any order, else k / group_size
/// </code>
/// </remarks>
internal sealed class GptqScheme(int bits, int groupSize, bool descAct, int zeroOffset) : QuantizationScheme
{
    private const string GroupIndexSuffix = ".g_idx";

    public override string Method => QuantizationMethods.Gptq;

    public override string Description =>
        $"gptq, {bits} bits, {(groupSize < 0 ? "one group" : $"groups of {groupSize}")}{(descAct ? " in act-order" : "")}";

    public override string MarkerSuffix => ".qweight";

    public override int CutUnit => 32 / bits;

    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static GptqScheme Of(ConfigObject config)
    {
        var bits = config.Integer("bits", 1, 32);
        if (bits is not (4 or 8))
        {
            throw config.Invalid("bits", $"is {bits}; supported: 4, 8");
        }

        // GPTQModel writes an empty one where all layers have the same.
        if (config.OptionalObject("dynamic") is { IsEmpty: false })
        {
            throw config.Invalid("dynamic", "has settings per layer; supported: the same settings for all layers");
        }

        config.Require("is_marlin_format", supported: false, fallback: false);
        var zeroOffset = config.OptionalString("checkpoint_format") switch
        {
            null or "gptq" => 1,
            "gptq_v2" => 0,
            var format => throw config.Invalid("checkpoint_format", $"is '{format}'; supported: gptq, gptq_v2"),
        };
        return new GptqScheme(bits, GroupScales.ReadGroupSize(config), config.Boolean("desc_act", false), zeroOffset);
    }

    public override bool Quantizes(string layer) => true;

    public override QuantizedMatrix Read(LayerTensors layer)
    {
        var perWord = CutUnit;
        var inputWords = layer.Packed(MarkerSuffix, layer.Inputs, perWord, "inputs");
        var outputWords = layer.Packed(".qzeros", layer.Outputs, perWord, "outputs");
        var groups = GroupScales.Count(layer, groupSize);
        var scales = GroupScales.Read(layer, groups, GroupsOf(layer, groups));
        return new GptqMatrix(
            layer,
            bits,
            zeroOffset,
            layer.Take(MarkerSuffix, DType.I32, inputWords, layer.Outputs),
            layer.Take(".qzeros", DType.I32, groups, outputWords),
            scales);
    }

    /// <summary>With <c>desc_act</c> the groups that <c>g_idx</c> names; else consecutive ones, which a <c>g_idx</c> may state once more or
    /// be zero throughout.</summary>
    private ImmutableArray<int> GroupsOf(LayerTensors layer, int count)
    {
        var consecutive = GroupScales.Consecutive(layer, count);
        if (!descAct && !layer.Has(GroupIndexSuffix))
        {
            return consecutive;
        }

        var groups = GroupScales.ReadIndex(layer, GroupIndexSuffix, count);
        for (var k = 0; k < groups.Length; k++)
        {
            if (!descAct && groups[k] != consecutive[k] && groups[k] != 0)
            {
                throw layer.Wrong(
                    GroupIndexSuffix,
                    $"has {groups[k]} as element {layer.Inputs.First + k}; without desc_act that input belongs to group {consecutive[k]}");
            }
        }

        return descAct ? groups : consecutive;
    }
}
