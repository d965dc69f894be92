using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>4-bit codes of groups whose scales are 16-bit floats, decoded two at a time: (code − zero) · scale, rounded once, which is
/// what <see cref="RoundedCodes{TFormat, THalf}"/> makes of <see cref="GroupedWeights{TWidth, TScales}"/>.</summary>
/// <remarks>
/// Codes 0, 2, 4 and 6 of a word are in its lower half, the others in the upper, so that a mask takes two neighbours, which become floats
/// where their bits stand behind those of a power of two:
/// <code>
/// (word &gt;&gt; 4·i) &amp; 0x000f000f | 2ⁿ | 2ⁿ &lt;&lt; 16   =   2ⁿ + code 2·i  in the lower half, 2ⁿ + code 2·i + 1 in the upper
/// </code>
/// That minus 2ⁿ + zero is exact, and times the scale rounded once. So eight weights take 15 instructions and not 45.
/// </remarks>
internal readonly struct PairedNibbles<THalf> : ITileWeights
    where THalf : struct, IHalfFormat
{
    public bool AreWhole => false;

    public int Parts => 4;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, int output, int padded, int piece) =>
        ScaleOf(tables[(long)groups[piece * 8 * Parts] * padded + output]);

    /// <summary>Both of them twice in a word, the zero negative and behind the power of two.</summary>
    /// <param name="word">See <see cref="HalfScales{TFormat}"/>.</param>
    public static PieceScale ScaleOf(uint word)
    {
        PieceScale scale;
        scale.Scale = Interop.IntAsFloat(Twice(word & 0xffffu));
        scale.Zero = Interop.IntAsFloat(Twice((word >> 16) | default(THalf).Whole | 0x8000u));
        return scale;
    }

    public UInt4 Decode(UInt4 codes, int part, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, int output, int padded)
    {
        var word = PieceWords.Select(codes, part);
        UInt4 weights;
        weights.X = Pair(word, scale);
        weights.Y = Pair(word >> 4, scale);
        weights.Z = Pair(word >> 8, scale);
        weights.W = Pair(word >> 12, scale);
        return weights;
    }

    /// <summary>Rearranges pieces whose codes ascend.</summary>
    public static void Arrange(Span<byte> pieces)
    {
        foreach (ref var word in MemoryMarshal.Cast<byte, uint>(pieces))
        {
            word = EvenNibbles(word) | (EvenNibbles(word >> 4) << 16);
        }
    }

    /// <summary>Nibbles 0, 2, 4 and 6, one behind the other.</summary>
    private static uint EvenNibbles(uint word)
    {
        word &= 0x0f0f0f0fu;
        word = (word | (word >> 4)) & 0x00ff00ffu;
        return (word | (word >> 8)) & 0xffffu;
    }

    private static uint Pair(uint word, PieceScale scale)
    {
        var half = default(THalf);
        var codes = Native.MaskOr(word, 0x000f000fu, Twice(half.Whole));
        return half.MultiplyPairs(half.AddPairs(codes, Interop.FloatAsInt(scale.Zero)), Interop.FloatAsInt(scale.Scale));
    }

    private static uint Twice(uint half) => half | (half << 16);
}
