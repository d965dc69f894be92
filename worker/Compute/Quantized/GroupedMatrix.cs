using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Quantized;

/// <summary>weight[n, k] = (code[n, k] − zero[g, n]) · scale[g, n] with g = group[k]: GPTQ, AWQ and the integers of
/// compressed-tensors.</summary>
internal abstract class GroupedMatrix : QuantizedMatrix
{
    /// <param name="groupOf"><c>[in]</c> the group of each input.</param>
    protected GroupedMatrix(string name, int outFeatures, int inFeatures, ImmutableArray<int> groupOf)
        : base(name, outFeatures, inFeatures) => GroupOf = groupOf;

    public sealed override QuantizedKind Kind => QuantizedKind.Grouped;

    public abstract override int Groups { get; }

    /// <summary>F32, F16 or BF16: what holds every <see cref="Scale"/> and every <see cref="Zero"/> exactly.</summary>
    public abstract DType ScaleDType { get; }

    public sealed override DType TableDType => ScaleDType;

    /// <summary>Finite.</summary>
    public abstract float Scale(int group, int output);

    /// <summary>In [0, 2^Bits].</summary>
    public abstract int Zero(int group, int output);

    /// <summary>Whether every <see cref="Zero"/> is in the middle of the codes. Looks at all of them, unless the format says it.</summary>
    public virtual bool IsSymmetric
    {
        get
        {
            for (var group = 0; group < Groups; group++)
            {
                for (var output = 0; output < OutFeatures; output++)
                {
                    if (Zero(group, output) != 1 << (Bits - 1))
                    {
                        return false;
                    }
                }
            }

            return true;
        }
    }

    public sealed override float WeightOf(int output, int k, byte code) =>
        (code - Zero(GroupOf[k], output)) * Scale(GroupOf[k], output);
}
