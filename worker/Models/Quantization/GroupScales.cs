using System.Collections.Immutable;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Quantization;

/// <summary>The <c>scales</c> of a grouped layer and how its inputs are grouped. Used by <see cref="GptqScheme"/> and <see cref="AwqScheme"/>.</summary>
/// <param name="Groups">Groups along the inputs.</param>
/// <param name="Values"><c>[groups, out]</c>.</param>
internal sealed record GroupScales(int Groups, DType DType, float[] Values)
{
    private const string Suffix = ".scales";

    /// <summary>Inputs of a group as the configuration states them: -1 means all in one.</summary>
    /// <exception cref="ModelConfigException">The field is missing or no size.</exception>
    public static int ReadGroupSize(ConfigObject config)
    {
        var size = config.Integer("group_size", -1, 1 << 20);
        return size != 0 ? size : throw config.Invalid("group_size", "is 0; expected a number of inputs, or -1 for all");
    }

    /// <exception cref="CheckpointFormatException">The tensor is missing, of another type or shape or not finite, or groups do not divide the inputs.</exception>
    public static GroupScales Read(LayerTensors layer, int groupSize)
    {
        var size = groupSize < 0 ? layer.InFeatures : groupSize;
        layer.RequireMultiple(Suffix, layer.InFeatures, size, "inputs in groups");
        var groups = layer.InFeatures / size;
        var (dtype, values) = layer.TakeFloats(Suffix, groups, layer.OutFeatures);
        return new GroupScales(groups, dtype, values);
    }

    /// <summary>Groups of consecutive inputs.</summary>
    public ImmutableArray<int> Consecutive(int inFeatures) => [.. Enumerable.Range(0, inFeatures).Select(k => k / (inFeatures / Groups))];
}
