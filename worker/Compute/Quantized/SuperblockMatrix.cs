using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Quantized;

/// <summary>weight[n, k] = scale[g, n] · code[n, k] − minimum[g, n] with g = group[k], where scales and minima are small codes themselves:
/// the K-quants of GGUF files (ggml's <c>Q4_K</c>, <c>Q5_K</c>, <c>Q6_K</c>). 256 inputs of an output are a superblock, which has one or
/// two F16 that scale the codes of its groups.</summary>
/// <remarks>A superblock's head as backends keep it, in words; groups are numbered within it:
/// <code>
/// 4 and 5 bits   d │ dmin in the upper half · low 4 bits of 8 scales · low 4 bits of 8 minima · high 2 bits: scales, then minima
///                8 groups of 32: scale = d · 6 bits, minimum = dmin · 6 bits
/// 6 bits         d · 16 scales of 8 bits, 4 a word, 128 more than they are
///                16 groups of 16: scale = d · 8 bits, minimum = 32 · scale
/// </code>
/// Every product of the formula fits a float without rounding, so its one rounding is that of the subtraction, fused or not.</remarks>
internal abstract class SuperblockMatrix : QuantizedMatrix
{
    /// <summary>Inputs of a superblock.</summary>
    public const int Length = 256;

    /// <summary>Inputs whose codes' low four bits fill 16 bytes.</summary>
    public const int PieceLength = 32;

    /// <summary>Most words of a head.</summary>
    public const int MaxHeadWords = 5;

    /// <summary>What a code of 6 bits has more than it means.</summary>
    public const int SixBitsZero = 32;

    /// <param name="bits">4, 5 or 6.</param>
    /// <param name="firstInput">Place of the first input within its superblock, where a rank's part begins in the middle of one.</param>
    protected SuperblockMatrix(string name, int outFeatures, int inFeatures, int bits, int firstInput)
        : base(name, outFeatures, inFeatures)
    {
        Bits = bits;
        var size = Length / GroupsOf(bits);
        GroupOf = ImmutableArray.CreateRange(Enumerable.Range(firstInput, inFeatures).Select(k => k / size));
    }

    public sealed override QuantizedKind Kind => QuantizedKind.Superblock;

    public sealed override int Bits { get; }

    public sealed override DType TableDType => DType.F16;

    /// <summary>Counted from the first of the first superblock, though a rank may not need that one.</summary>
    public sealed override int Groups => GroupOf[^1] + 1;

    public int Superblocks => (Groups + GroupsOf(Bits) - 1) / GroupsOf(Bits);

    /// <summary>Groups of a superblock.</summary>
    public static int GroupsOf(int bits) => bits == 6 ? 16 : 8;

    /// <summary>Words of a superblock's head.</summary>
    public static int HeadWords(int bits) => bits == 6 ? 5 : 4;

    /// <summary>Finite.</summary>
    public abstract float Scale(int group, int output);

    /// <summary>Finite.</summary>
    public abstract float Minimum(int group, int output);

    /// <param name="words">As many as <see cref="HeadWords"/>.</param>
    public abstract void ReadHead(int superblock, int output, Span<uint> words);

    /// <summary>All codes of an output.</summary>
    public abstract void ReadRow(int output, Span<byte> codes);

    public sealed override float WeightOf(int output, int k, byte code) =>
        (Scale(GroupOf[k], output) * code) - Minimum(GroupOf[k], output);
}
