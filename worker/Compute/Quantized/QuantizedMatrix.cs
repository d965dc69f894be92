using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Quantized;

/// <summary>A <c>[out, in]</c> matrix as codes and what decodes them, in checkpoint memory: nothing is decoded here. Made by
/// <c>Models.Quantization</c>, which has checked every value; read by
/// <see cref="Backend.LoadLinear(string, IReadOnlyList{QuantizedMatrix}, IReadOnlyList{HostTensor}?)"/>, which keeps the codes packed in a
/// layout of its own.</summary>
/// <remarks>How a code becomes a weight is the subclass's: <see cref="Fp8Matrix"/>, <see cref="BlockFp8Matrix"/>,
/// <see cref="GroupedMatrix"/>, <see cref="LookupMatrix"/>, <see cref="Mxfp4Matrix"/> or <see cref="SuperblockMatrix"/>. The
/// arithmetic is in fp32, rounded as written there, so every backend has the same weights.</remarks>
internal abstract class QuantizedMatrix(string name, int outFeatures, int inFeatures)
{
    /// <summary>Name of the layer in the checkpoint, for messages.</summary>
    public string Name { get; } = name;

    public int OutFeatures { get; } = outFeatures;

    public int InFeatures { get; } = inFeatures;

    public abstract QuantizedKind Kind { get; }

    /// <summary>Bits of a code: 4 to 8.</summary>
    public abstract int Bits { get; }

    /// <summary><c>[in]</c> the group of each input, [0, Groups): inputs of a group share what decodes them. Ascending, unless act-order
    /// spread the groups over the inputs. Empty where there are no groups.</summary>
    public ImmutableArray<int> GroupOf { get; protected init; } = [];

    /// <summary>Groups along the inputs.</summary>
    public virtual int Groups => 0;

    /// <summary>The type of scales, or of a table's entries.</summary>
    public abstract DType TableDType { get; }

    /// <summary>How inputs are rounded, where the checkpoint asks for it; null where they stay floats. Only for integers of 8 bits with a
    /// scale for each output. A backend that cannot multiply integers leaves inputs as they are.</summary>
    public IntegerInputs? Inputs { get; init; }

    /// <summary>Codes of input <paramref name="k"/> for a run of outputs. Safe to call from several threads. Whoever has no
    /// <see cref="BytesOf"/> says how.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such input or output.</exception>
    public virtual void ReadCodes(int k, int firstOutput, Span<byte> destination)
    {
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (byte)(BytesOf(firstOutput + i)[k] ^ ByteMask);
        }
    }

    /// <summary>An output's codes where they are bytes that lie one after another in memory, to be combined with <see cref="ByteMask"/>:
    /// many times faster than <see cref="ReadCodes"/>. Empty where they do not.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such output.</exception>
    public virtual ReadOnlySpan<byte> BytesOf(int output) => [];

    /// <summary>What each byte of <see cref="BytesOf"/> is combined with by exclusive or.</summary>
    public virtual byte ByteMask => 0;

    /// <summary>The weight that a code stands for.</summary>
    public abstract float WeightOf(int output, int k, byte code);

    /// <summary>All weights, row after row: for what is computed with before it is loaded.</summary>
    public float[] Decode()
    {
        var weights = new float[checked(OutFeatures * InFeatures)];
        var codes = new byte[OutFeatures];
        for (var k = 0; k < InFeatures; k++)
        {
            ReadCodes(k, 0, codes);
            for (var output = 0; output < OutFeatures; output++)
            {
                weights[(output * InFeatures) + k] = WeightOf(output, k, codes[output]);
            }
        }

        return weights;
    }
}
