namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>Codes as they lie in their words, which count by a power of two too much or too little. A vector of words has 32 bits in each
/// lane, whatever its type says.</summary>
internal unsafe partial interface ISimd<V>
{
    /// <summary>The E4M3 that <paramref name="shift"/> brings to the top, times 2^-120; not for NaN.</summary>
    static abstract V SmallE4M3(V words, int shift);

    /// <summary>Twice the E2M1 in the low halves of all bytes (<paramref name="shift"/> 0) or in the high ones (4), as signed
    /// bytes.</summary>
    static abstract V TwiceE2M1(V words, int shift);
}
