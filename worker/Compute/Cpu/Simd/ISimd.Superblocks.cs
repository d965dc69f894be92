namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of scales in two planes.</content>
internal unsafe partial interface ISimd<V>
{
    /// <summary>Lane i is the number whose low four bits are at bit <paramref name="shift"/> of word i of <paramref name="low"/>, and whose
    /// other bits, as wide as <paramref name="mask"/>, at bit <paramref name="highShift"/> of word i of
    /// <paramref name="high"/>.</summary>
    static abstract V SplitCodes(uint* low, int shift, uint* high, int highShift, uint mask);
}
