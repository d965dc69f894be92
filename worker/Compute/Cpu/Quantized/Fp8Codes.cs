using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Fp8Matrix"/>; the table is a row of F32 scales.</summary>
internal readonly unsafe struct Fp8Codes : ISegmentCodes
{
    public static int PerWord => SmallE4M3.PerWord;

    public static bool AreIntegers => false;

    public static bool HasOffsets => false;

    public static float Factor => SmallE4M3.Factor;

    public static int Steps => PerWord;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V half, int step)
        where V : unmanaged
        where TSimd : ISimd<V> => SmallE4M3.Weights<V, TSimd>(half, step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadGroup<V, TSimd>(byte* table, int group, out V scale, out V nextScale, out V offset, out V nextOffset)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var missing = TSimd.Create(SmallE4M3.Missing);
        scale = TSimd.Multiply(TSimd.Load((float*)table), missing);
        nextScale = TSimd.Multiply(TSimd.Load((float*)table + TSimd.Lanes), missing);
        offset = nextOffset = TSimd.Create(0);
    }
}
