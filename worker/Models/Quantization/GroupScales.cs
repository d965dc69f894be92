using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary>The scales of a grouped layer and how its inputs are grouped. Used by <see cref="GptqScheme"/>, <see cref="AwqScheme"/> and
/// <see cref="CompressedIntegers"/>.</summary>
/// <remarks>A rank that keeps some of the inputs keeps the groups that these are in: a group that a cut goes through is on both ranks, so a
/// layer costs each rank two rows of scales and zeros beyond its share at most. With act-order these may be all groups, on every rank.
/// <see cref="LayerTensors.ReplicatedBytes"/> counts what exceeds the share, the one part of a rank's bytes that its degree does not
/// divide; all the rest stays within 1.05 of total / ranks (TensorParallelModelTests).</remarks>
/// <param name="Rows">Of each group kept, its row in the checkpoint, ascending.</param>
/// <param name="GroupOf">Of each input kept, its place in <paramref name="Rows"/>.</param>
/// <param name="Values"><c>[Rows, outputs kept]</c>.</param>
internal sealed record GroupScales(ImmutableArray<int> Rows, ImmutableArray<int> GroupOf, DType DType, float[] Values)
{
    private const string Suffix = ".scales";

    /// <summary>Numbers that a group and output keep at most: a scale and a zero.</summary>
    private const int Numbers = 2;

    /// <summary>Groups along the inputs.</summary>
    public int Groups => Rows.Length;

    /// <summary>Inputs of a group as the configuration states them: -1 means all in one.</summary>
    /// <exception cref="ModelConfigException">The field is missing or no size.</exception>
    public static int ReadGroupSize(ConfigObject config)
    {
        var size = config.Integer("group_size", -1, 1 << 20);
        return size != 0 ? size : throw config.Invalid("group_size", "is 0; expected a number of inputs, or -1 for all");
    }

    /// <summary>How many groups a layer has.</summary>
    /// <exception cref="CheckpointFormatException">Groups do not divide the inputs.</exception>
    public static int Count(LayerTensors layer, int groupSize, string suffix = Suffix) =>
        groupSize < 0 ? 1 : layer.Packed(suffix, layer.Inputs.Full, groupSize, "inputs in groups").Full;

    /// <summary>Groups of consecutive inputs.</summary>
    /// <returns>Of each input kept, its group in the checkpoint.</returns>
    public static ImmutableArray<int> Consecutive(LayerTensors layer, int groups)
    {
        var size = layer.Inputs.Full / groups;
        return [.. Enumerable.Range(layer.Inputs.First, layer.Inputs.Count).Select(k => k / size)];
    }

    /// <summary>Groups that a tensor states, in any order.</summary>
    /// <param name="groups">Groups that the checkpoint has.</param>
    /// <returns>Of each input kept, its group in the checkpoint.</returns>
    /// <exception cref="CheckpointFormatException">The tensor is missing, of another type or shape, or names a group that there is
    /// not.</exception>
    public static ImmutableArray<int> ReadIndex(LayerTensors layer, string suffix, int groups)
    {
        var index = layer.Take(suffix, DType.I32, layer.Inputs);
        var groupOf = ImmutableArray.CreateRange(Enumerable.Range(0, index.Rows).Select(k => (int)index.Word(k, 0)));
        var bad = groupOf.AsSpan().IndexOfAnyExceptInRange(0, groups - 1);
        return bad < 0
            ? groupOf
            : throw layer.Wrong(suffix, $"has {groupOf[bad]} as element {layer.Inputs.First + bad}; there are {groups} groups");
    }

    /// <param name="groups">Groups that the checkpoint has.</param>
    /// <param name="groupOf">Of each input kept, its group in the checkpoint.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing, of another type or shape or not finite.</exception>
    public static GroupScales Read(LayerTensors layer, int groups, ImmutableArray<int> groupOf)
    {
        ImmutableArray<int> rows = [.. groupOf.Distinct().Order()];
        var (dtype, values) = layer.TakeFloatRows(Suffix, rows, groups, layer.Outputs);
        return Of(layer, groups, groupOf, rows, dtype, values);
    }

    /// <summary>The same of <c>[out, groups]</c>; one number for all outputs where that is stored.</summary>
    /// <param name="suffix">Of the tensor.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing, of another type or shape or not finite.</exception>
    public static GroupScales ReadByOutput(LayerTensors layer, string suffix, int groups, ImmutableArray<int> groupOf, bool isOneForAll)
    {
        ImmutableArray<int> rows = [.. groupOf.Distinct().Order()];
        var outputs = layer.Outputs.Count;
        var values = new float[rows.Length * outputs];
        DType dtype;
        if (isOneForAll)
        {
            (dtype, var one) = layer.ShapeOf(suffix).Length == 0 ? layer.TakeFloats(suffix) : layer.TakeFloats(suffix, 1);
            Array.Fill(values, one[0]);
        }
        else
        {
            (dtype, var byOutput) = layer.TakeFloats(suffix, layer.Outputs, groups);
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = byOutput[(i % outputs * groups) + rows[i / outputs]];
            }
        }

        return Of(layer, groups, groupOf, rows, dtype, values);
    }

    private static GroupScales Of(
        LayerTensors layer, int groups, ImmutableArray<int> groupOf, ImmutableArray<int> rows, DType dtype, float[] values)
    {
        var share = (long)groups * layer.Inputs.Count / layer.Inputs.Full;
        layer.ReplicatedBytes = Math.Max(0, rows.Length - share) * layer.Outputs.Count * Numbers * dtype.Size();
        return new GroupScales(rows, [.. groupOf.Select(group => rows.BinarySearch(group))], dtype, values);
    }
}
