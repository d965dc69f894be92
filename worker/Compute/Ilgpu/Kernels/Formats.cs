using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>A 16-bit floating-point type.</summary>
internal interface IHalfFormat
{
    float Widen(uint bits);

    /// <summary>To the nearest, in the lower half of a word.</summary>
    uint Narrow(float value);

    /// <summary>Two of them, the first in the lower half.</summary>
    uint NarrowPair(float low, float high);

    /// <summary>The power of two whose last bit counts 1.</summary>
    uint Whole { get; }

    /// <summary>a + b of both halves of words: see <see cref="Native.AddBF16Pairs"/>.</summary>
    uint AddPairs(uint a, uint b);

    /// <summary>a·b of both halves.</summary>
    uint MultiplyPairs(uint a, uint b);

    /// <summary>The instruction of matrix cores for it: see <see cref="MatrixCore.MultiplyAddBF16"/>.</summary>
    Float4 MultiplyAdd(uint a0, uint a1, uint b0, uint b1, Float4 c);

    /// <summary>That of a warp: see <see cref="WarpMatrix.MultiplyAddBF16"/>.</summary>
    Float4 MultiplyAddOfWarp(uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, Float4 c);
}

internal readonly struct F16Format : IHalfFormat
{
    public float Widen(uint bits) => Native.FromF16(bits & 0xffffu);

    public uint Narrow(float value) => Native.ToF16(value);

    public uint NarrowPair(float low, float high) => Native.ToF16Pair(low, high);

    public uint Whole => 0x6400u;

    public uint AddPairs(uint a, uint b) => Native.AddF16Pairs(a, b);

    public uint MultiplyPairs(uint a, uint b) => Native.MultiplyF16Pairs(a, b);

    public Float4 MultiplyAdd(uint a0, uint a1, uint b0, uint b1, Float4 c) => MatrixCore.MultiplyAddF16(a0, a1, b0, b1, c);

    public Float4 MultiplyAddOfWarp(uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, Float4 c) =>
        WarpMatrix.MultiplyAddF16(a0, a1, a2, a3, b0, b1, c);
}

internal readonly struct BF16Format : IHalfFormat
{
    public float Widen(uint bits) => Native.FromBF16(bits);

    public uint Narrow(float value) => Native.ToBF16(value);

    public uint NarrowPair(float low, float high) => Native.ToBF16Pair(low, high);

    public uint Whole => 0x4300u;

    public uint AddPairs(uint a, uint b) => Native.AddBF16Pairs(a, b);

    public uint MultiplyPairs(uint a, uint b) => Native.MultiplyBF16Pairs(a, b);

    public Float4 MultiplyAdd(uint a0, uint a1, uint b0, uint b1, Float4 c) => MatrixCore.MultiplyAddBF16(a0, a1, b0, b1, c);

    public Float4 MultiplyAddOfWarp(uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, Float4 c) =>
        WarpMatrix.MultiplyAddBF16(a0, a1, a2, a3, b0, b1, c);
}

/// <summary>What is known of all weights of a piece.</summary>
internal struct PieceScale
{
    public float Scale;
    public float Zero;
}

/// <summary>How weights are coded. A piece is 16 bytes of one output's codes, inputs ascending; a quad is four weights of it.</summary>
/// <remarks>Weights are exactly those that <see cref="Quantized.QuantizedMatrix"/> defines, in fp32, so that every device has the
/// same.</remarks>
internal interface IWeightFormat
{
    /// <summary>Weights in a piece: a multiple of 4.</summary>
    int Elements { get; }

    /// <summary>Reads, once for a piece, what its quads have in common.</summary>
    /// <param name="tables">Scales, zeros or entries of the layer.</param>
    /// <param name="groups">The group of each input.</param>
    /// <param name="first">First word of the matrix' tables.</param>
    /// <param name="outputs">Outputs of the matrix, padded.</param>
    PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece);

    /// <summary>Weights 4·quad to 4·quad + 3 of a piece.</summary>
    Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece);
}

internal readonly struct F32Weights : IWeightFormat
{
    public int Elements => 4;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece) => default;

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece) =>
        PieceWords.Floats(codes);
}

internal readonly struct HalfWeights<TFormat> : IWeightFormat
    where TFormat : struct, IHalfFormat
{
    public int Elements => 8;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece) => default;

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece) =>
        PieceWords.Halves<TFormat>(codes, quad);
}

/// <summary>E4M3(code) · scale of the output.</summary>
internal readonly struct Fp8Weights : IWeightFormat
{
    public int Elements => 16;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece)
    {
        PieceScale scale;
        scale.Scale = Interop.IntAsFloat(tables[first + output]);
        scale.Zero = 0;
        return scale;
    }

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece)
    {
        var weights = PieceWords.E4M3(codes, quad);
        weights.X *= scale.Scale;
        weights.Y *= scale.Scale;
        weights.Z *= scale.Scale;
        weights.W *= scale.Scale;
        return weights;
    }
}

/// <summary>Width of a code.</summary>
internal interface ICodeWidth
{
    int Elements { get; }

    /// <summary>Codes 4·quad to 4·quad + 3, as floats.</summary>
    Float4 Quad(UInt4 codes, int quad);

    /// <summary>The same, 2²³ larger: then a code is the last bits of the float, and is not converted.</summary>
    Float4 QuadBehind(UInt4 codes, int quad);
}

/// <summary>2²³, whose last bit counts 1.</summary>
internal static class WholeFloat
{
    public const uint Bits = 0x4b000000u;

    public const int Value = 1 << 23;
}

internal readonly struct Nibbles : ICodeWidth
{
    public int Elements => 32;

    public Float4 Quad(UInt4 codes, int quad)
    {
        var word = PieceWords.At(codes, quad >> 1) >> ((quad & 1) * 16);
        Float4 values;
        values.X = (int)(word & 15u);
        values.Y = (int)((word >> 4) & 15u);
        values.Z = (int)((word >> 8) & 15u);
        values.W = (int)((word >> 12) & 15u);
        return values;
    }

    public Float4 QuadBehind(UInt4 codes, int quad)
    {
        var word = PieceWords.Select(codes, quad >> 1) >> ((quad & 1) * 16);
        Float4 values;
        values.X = Interop.IntAsFloat(Native.MaskOr(word, 15u, WholeFloat.Bits));
        values.Y = Interop.IntAsFloat(Native.MaskOr(word >> 4, 15u, WholeFloat.Bits));
        values.Z = Interop.IntAsFloat(Native.MaskOr(word >> 8, 15u, WholeFloat.Bits));
        values.W = Interop.IntAsFloat(Native.MaskOr(word >> 12, 15u, WholeFloat.Bits));
        return values;
    }
}

internal readonly struct WholeBytes : ICodeWidth
{
    public int Elements => 16;

    public Float4 Quad(UInt4 codes, int quad)
    {
        var word = PieceWords.At(codes, quad);
        Float4 values;
        values.X = (int)(word & 255u);
        values.Y = (int)((word >> 8) & 255u);
        values.Z = (int)((word >> 16) & 255u);
        values.W = (int)(word >> 24);
        return values;
    }

    public Float4 QuadBehind(UInt4 codes, int quad)
    {
        var word = PieceWords.Select(codes, quad);
        Float4 values;
        values.X = Interop.IntAsFloat(Native.ByteBehind(word, 0, WholeFloat.Bits));
        values.Y = Interop.IntAsFloat(Native.ByteBehind(word, 1, WholeFloat.Bits));
        values.Z = Interop.IntAsFloat(Native.ByteBehind(word, 2, WholeFloat.Bits));
        values.W = Interop.IntAsFloat(Native.ByteBehind(word, 3, WholeFloat.Bits));
        return values;
    }
}

/// <summary>How a group's scale and zero are kept: <c>[group][output]</c>, one word or two.</summary>
internal interface IScaleFormat
{
    PieceScale Read(ArrayView<uint> tables, long first, long index);
}

/// <summary>A float, then the zero.</summary>
internal readonly struct F32Scales : IScaleFormat
{
    public PieceScale Read(ArrayView<uint> tables, long first, long index)
    {
        PieceScale scale;
        scale.Scale = Interop.IntAsFloat(tables[first + 2 * index]);
        scale.Zero = (int)tables[first + 2 * index + 1];
        return scale;
    }
}

/// <summary>A 16-bit float in the lower half of a word, the zero in the upper.</summary>
internal readonly struct HalfScales<TFormat> : IScaleFormat
    where TFormat : struct, IHalfFormat
{
    public PieceScale Read(ArrayView<uint> tables, long first, long index)
    {
        var word = tables[first + index];
        PieceScale scale;
        scale.Scale = default(TFormat).Widen(word & 0xffffu);
        scale.Zero = (int)(word >> 16);
        return scale;
    }
}

/// <summary>(code − zero) · scale, all inputs of a piece in one group.</summary>
internal readonly struct GroupedWeights<TWidth, TScales> : IWeightFormat
    where TWidth : struct, ICodeWidth
    where TScales : struct, IScaleFormat
{
    public int Elements => default(TWidth).Elements;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece) =>
        default(TScales).Read(tables, first, (long)groups[piece * Elements] * outputs + output);

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece)
    {
        var values = default(TWidth).Quad(codes, quad);
        values.X = (values.X - scale.Zero) * scale.Scale;
        values.Y = (values.Y - scale.Zero) * scale.Scale;
        values.Z = (values.Z - scale.Zero) * scale.Scale;
        values.W = (values.W - scale.Zero) * scale.Scale;
        return values;
    }
}

/// <summary>(code − zero) · scale with a group for each input: what act-order spreads over the inputs.</summary>
internal readonly struct ScatteredWeights<TWidth, TScales> : IWeightFormat
    where TWidth : struct, ICodeWidth
    where TScales : struct, IScaleFormat
{
    public int Elements => default(TWidth).Elements;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece) => default;

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece)
    {
        var values = default(TWidth).Quad(codes, quad);
        var input = piece * Elements + 4 * quad;
        values.X = Decode(values.X, tables, groups[input], first, output, outputs);
        values.Y = Decode(values.Y, tables, groups[input + 1], first, output, outputs);
        values.Z = Decode(values.Z, tables, groups[input + 2], first, output, outputs);
        values.W = Decode(values.W, tables, groups[input + 3], first, output, outputs);
        return values;
    }

    private static float Decode(float code, ArrayView<uint> tables, int group, long first, int output, int outputs)
    {
        var scale = default(TScales).Read(tables, first, (long)group * outputs + output);
        return (code - scale.Zero) * scale.Scale;
    }
}

/// <summary>How a look-up table's entries are kept: <c>[entry][output]</c>.</summary>
internal interface IEntryFormat
{
    float Read(ArrayView<uint> tables, long first, int code, int output, int outputs);
}

internal readonly struct F32Entries : IEntryFormat
{
    public float Read(ArrayView<uint> tables, long first, int code, int output, int outputs) =>
        Interop.IntAsFloat(tables[first + (long)code * outputs + output]);
}

/// <summary>Entries 2i and 2i + 1 in the halves of word i.</summary>
internal readonly struct HalfEntries<TFormat> : IEntryFormat
    where TFormat : struct, IHalfFormat
{
    public float Read(ArrayView<uint> tables, long first, int code, int output, int outputs) =>
        default(TFormat).Widen((tables[first + (long)(code >> 1) * outputs + output] >> ((code & 1) * 16)) & 0xffffu);
}

/// <summary>table[output][code], 16 entries each.</summary>
internal readonly struct LookupWeights<TEntries> : IWeightFormat
    where TEntries : struct, IEntryFormat
{
    public int Elements => 32;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece) => default;

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece)
    {
        var word = PieceWords.At(codes, quad >> 1) >> ((quad & 1) * 16);
        Float4 weights;
        weights.X = default(TEntries).Read(tables, first, (int)(word & 15u), output, outputs);
        weights.Y = default(TEntries).Read(tables, first, (int)((word >> 4) & 15u), output, outputs);
        weights.Z = default(TEntries).Read(tables, first, (int)((word >> 8) & 15u), output, outputs);
        weights.W = default(TEntries).Read(tables, first, (int)((word >> 12) & 15u), output, outputs);
        return weights;
    }
}
