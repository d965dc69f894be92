namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of scales in two planes.</content>
internal unsafe partial interface ISimd<V>
{
    /// <summary>Lane i is the number whose low four bits are at bit <paramref name="shift"/> of word i of <paramref name="low"/>, and whose
    /// other two at bit <paramref name="highShift"/> of word i of <paramref name="high"/>.</summary>
    static abstract V SplitScales(uint* low, int shift, uint* high, int highShift);
}
