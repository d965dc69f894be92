namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of scales in two planes.</content>
internal readonly unsafe partial struct SimdScalar
{
    public static float SplitCodes(uint* low, int shift, uint* high, int highShift, uint mask) =>
        ((*low >> shift) & 15) | (((*high >> highShift) & mask) << 4);
}
