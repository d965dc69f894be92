namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of scales in two planes.</content>
internal readonly unsafe partial struct SimdScalar
{
    public static float SplitScales(uint* low, int shift, uint* high, int highShift) =>
        ((*low >> shift) & 15) | (((*high >> highShift) & 3) << 4);
}
