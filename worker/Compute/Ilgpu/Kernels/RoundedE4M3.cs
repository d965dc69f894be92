using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;
using Utilities = ILGPU.Util.Utilities;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>E4M3 codes with a scale for each output or block, decoded in registers and rounded: what
/// <see cref="RoundedCodes{TFormat, THalf}"/> makes of them, in less than two thirds of the instructions.</summary>
/// <remarks>
/// A code's sign, exponent and mantissa are moved to where a float has them, and the exponents' bias is a factor of 2¹²⁰:
/// <code>
/// code on top      s eeee mmm 0…
/// four to the right, arithmetically, and the copies of the sign masked      s 0000 eeee mmm 0…
/// </code>
/// A code that is NaN makes NaN of the seven beside it as well: its output is NaN either way, whatever the inputs.
/// </remarks>
internal readonly struct RoundedE4M3<TFormat, THalf> : ITileWeights
    where TFormat : struct, IWeightFormat
    where THalf : struct, IHalfFormat
{
    private const float Bias = 1.329227995784916e+36f;

    public bool AreWhole => false;

    public int Parts => 2;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, int output, int padded, int piece) =>
        default(TFormat).ScaleOf(tables, groups, 0, output, padded, piece);

    public UInt4 Decode(UInt4 codes, int part, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, int output, int padded)
    {
        var low = Utilities.Select(part == 0, codes.X, codes.Z);
        var high = Utilities.Select(part == 0, codes.Y, codes.W);
        var factor = Utilities.Select((NaNs(low) | NaNs(high)) == 0u, scale.Scale, float.NaN);
        UInt4 weights;
        weights.X = Pair(low, 0, factor);
        weights.Y = Pair(low, 2, factor);
        weights.Z = Pair(high, 0, factor);
        weights.W = Pair(high, 2, factor);
        return weights;
    }

    /// <summary>The top bit of each byte that is NaN: whose lower seven bits are ones.</summary>
    private static uint NaNs(uint word) => ((word & 0x7f7f7f7fu) + 0x01010101u) & 0x80808080u;

    private static uint Pair(uint word, int first, float scale) =>
        default(THalf).NarrowPair(Value(word, first) * scale, Value(word, first + 1) * scale);

    private static float Value(uint word, int index) =>
        Interop.IntAsFloat((uint)((int)Native.ByteOnTop(word, index) >> 4) & 0x87f00000u) * Bias;
}
