namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>Decoding of packed weights and of the FP8 cache.</summary>
internal unsafe partial interface ISimd<V>
{
    /// <summary>Lane i is the unsigned number of <paramref name="mask"/>'s width at bit <paramref name="shift"/> of word i.</summary>
    static abstract V Codes(uint* words, int shift, uint mask);

    /// <summary>As many E8M0 as there are lanes, none of them NaN: 2^(byte − 127).</summary>
    static abstract V LoadE8M0(byte* source);

    /// <summary>Lane i is <c>table[stride · c + i]</c> for the 4-bit code c at bit <paramref name="shift"/> of word i.</summary>
    static abstract V Lookup(float* table, int stride, uint* words, int shift);

    /// <summary>As many E4M3 as there are lanes.</summary>
    static abstract V LoadE4M3(byte* source);

    /// <summary>As many E5M2 as there are lanes.</summary>
    static abstract V LoadE5M2(byte* source);
}
