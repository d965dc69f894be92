using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>An fp32 input as a sum of 16-bit floats, which is what matrix cores multiply 16-bit weights by at their full rate.</summary>
internal interface ITerms
{
    /// <summary>16-bit floats of an input.</summary>
    int Count { get; }

    /// <summary>A term of two inputs, the first in the lower half.</summary>
    uint Pair(float low, float high, int term);

    /// <summary>All terms of eight inputs.</summary>
    InputTerms Split(Float4 low, Float4 high);
}

/// <summary>Eight inputs in up to three terms.</summary>
internal struct InputTerms
{
    public UInt4 A;
    public UInt4 B;
    public UInt4 C;
}

/// <summary>Three terms of bf16, 8 bits of the mantissa each: their sum is the input, and so every product is exact, as in fp32.</summary>
internal readonly struct ExactTerms : ITerms
{
    private const uint UpperHalf = 0xffff0000u;

    public int Count => 3;

    public uint Pair(float low, float high, int term) =>
        (Interop.FloatAsInt(Rest(low, term)) >> 16) | (Interop.FloatAsInt(Rest(high, term)) & UpperHalf);

    /// <remarks>Each term of what the one before leaves: without a loop, which ILGPU takes seconds over where it is inlined dozens of
    /// times.</remarks>
    public InputTerms Split(Float4 low, Float4 high)
    {
        InputTerms all;
        all.A = Upper(low, high);
        low = Rest(low);
        high = Rest(high);
        all.B = Upper(low, high);
        all.C = Upper(Rest(low), Rest(high));
        return all;
    }

    /// <summary>A term of eight.</summary>
    private static UInt4 Upper(Float4 low, Float4 high)
    {
        UInt4 piece;
        piece.X = Upper(low.X, low.Y);
        piece.Y = Upper(low.Z, low.W);
        piece.Z = Upper(high.X, high.Y);
        piece.W = Upper(high.Z, high.W);
        return piece;
    }

    private static uint Upper(float low, float high) => (Interop.FloatAsInt(low) >> 16) | (Interop.FloatAsInt(high) & UpperHalf);

    private static Float4 Rest(Float4 values)
    {
        values.X -= Interop.IntAsFloat(Interop.FloatAsInt(values.X) & UpperHalf);
        values.Y -= Interop.IntAsFloat(Interop.FloatAsInt(values.Y) & UpperHalf);
        values.Z -= Interop.IntAsFloat(Interop.FloatAsInt(values.Z) & UpperHalf);
        values.W -= Interop.IntAsFloat(Interop.FloatAsInt(values.W) & UpperHalf);
        return values;
    }

    /// <summary>What the terms before leave.</summary>
    private static float Rest(float value, int term)
    {
        for (var i = 0; i < term; i++)
        {
            value -= Interop.IntAsFloat(Interop.FloatAsInt(value) & UpperHalf);
        }

        return value;
    }
}

/// <summary>Two terms of bf16, whose sum is the input where that has no more bits than a half: 8 and 3 of its mantissa.</summary>
internal readonly struct TwoTerms : ITerms
{
    public int Count => 2;

    public uint Pair(float low, float high, int term) => default(ExactTerms).Pair(low, high, term);

    public InputTerms Split(Float4 low, Float4 high) => default(ExactTerms).Split(low, high);
}

/// <summary>The nearest 16-bit float of the weights' own type: what engines do that keep activations in it.</summary>
internal readonly struct RoundedTerm<THalf> : ITerms
    where THalf : struct, IHalfFormat
{
    public int Count => 1;

    public uint Pair(float low, float high, int term) => default(THalf).NarrowPair(low, high);

    public InputTerms Split(Float4 low, Float4 high)
    {
        InputTerms all = default;
        all.A.X = default(THalf).NarrowPair(low.X, low.Y);
        all.A.Y = default(THalf).NarrowPair(low.Z, low.W);
        all.A.Z = default(THalf).NarrowPair(high.X, high.Y);
        all.A.W = default(THalf).NarrowPair(high.Z, high.W);
        return all;
    }
}
