using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>An fp32 input as a sum of 16-bit floats, which is what matrix cores multiply 16-bit weights by at their full rate.</summary>
internal interface ITerms
{
    /// <summary>16-bit floats of an input.</summary>
    int Count { get; }

    /// <summary>A term of two inputs, the first in the lower half.</summary>
    uint Pair(float low, float high, int term);
}

/// <summary>Three terms of bf16, 8 bits of the mantissa each: their sum is the input, and so every product is exact, as in fp32.</summary>
internal readonly struct ExactTerms : ITerms
{
    private const uint UpperHalf = 0xffff0000u;

    public int Count => 3;

    public uint Pair(float low, float high, int term) =>
        (Interop.FloatAsInt(Rest(low, term)) >> 16) | (Interop.FloatAsInt(Rest(high, term)) & UpperHalf);

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

/// <summary>The nearest 16-bit float of the weights' own type: what engines do that keep activations in it.</summary>
internal readonly struct RoundedTerm<THalf> : ITerms
    where THalf : struct, IHalfFormat
{
    public int Count => 1;

    public uint Pair(float low, float high, int term) => default(THalf).Narrow(low) | (default(THalf).Narrow(high) << 16);
}
