using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Quantized;

/// <summary>weight[n, k] = (code[n, k] − zero[g, n]) · scale[g, n] with g = group[k]: GPTQ and AWQ.</summary>
/// <param name="groupOf"><c>[in]</c> the group of each input, [0, Groups). Ascending, unless act-order spread the groups over the
/// inputs.</param>
internal abstract class GroupedMatrix(string name, int outFeatures, int inFeatures, ImmutableArray<int> groupOf)
    : QuantizedMatrix(name, outFeatures, inFeatures)
{
    public ImmutableArray<int> GroupOf { get; } = groupOf;

    /// <summary>Groups along the inputs.</summary>
    public abstract int Groups { get; }

    /// <summary>F32, F16 or BF16: what holds every <see cref="Scale"/> and every <see cref="Zero"/> exactly.</summary>
    public abstract DType ScaleDType { get; }

    /// <summary>Finite.</summary>
    public abstract float Scale(int group, int output);

    /// <summary>In [0, 2^Bits].</summary>
    public abstract int Zero(int group, int output);
}
