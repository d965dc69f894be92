namespace Cluster.Worker.Compute.Quantized;

/// <summary>weight[n, k] = E2M1(code[n, k]) · 2^(exponent[g, n] − 127) with g = group[k]: the OCP microscaling format MXFP4, a scale for 32
/// inputs of an output.</summary>
internal abstract class Mxfp4Matrix : QuantizedMatrix
{
    /// <summary>Inputs of a group.</summary>
    public const int GroupSize = 32;

    /// <param name="firstInput">Place of the first input within its group, where a rank's part begins in the middle of one.</param>
    protected Mxfp4Matrix(string name, int outFeatures, int inFeatures, int firstInput)
        : base(name, outFeatures, inFeatures)
    {
        GroupOf = [.. Enumerable.Range(firstInput, inFeatures).Select(k => k / GroupSize)];
        Groups = GroupOf[^1] + 1;
    }

    public sealed override QuantizedKind Kind => QuantizedKind.Mxfp4;

    public sealed override int Bits => 4;

    public sealed override int Groups { get; }

    public sealed override DType TableDType => DType.U8;

    /// <summary>A scale in E8M0: [0, 254], for 255 is NaN.</summary>
    public abstract byte Exponent(int group, int output);

    public sealed override float WeightOf(int output, int k, byte code) =>
        MathF.ScaleB(E2M1.Values[code], Exponent(GroupOf[k], output) - 127);
}
