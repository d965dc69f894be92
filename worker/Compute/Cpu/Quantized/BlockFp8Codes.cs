using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="BlockFp8Matrix"/>; the table has for each output where among the floats behind it the scales of its block are, one
/// for each group.</summary>
internal readonly unsafe struct BlockFp8Codes : ISegmentCodes
{
    private const int MostLanes = 16;

    public static int PerWord => SmallE4M3.PerWord;

    public static bool AreIntegers => false;

    public static bool HasOffsets => false;

    public static float Factor => SmallE4M3.Factor;

    public static int Steps => PerWord;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V half, int step)
        where V : unmanaged
        where TSimd : ISimd<V> => SmallE4M3.Weights<V, TSimd>(half, step);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ReadGroup<V, TSimd>(byte* table, int group, out V scale, out V nextScale, out V offset, out V nextOffset)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        var places = (uint*)table;
        var scales = (float*)table + width;
        var ofGroup = stackalloc float[2 * MostLanes];
        for (var lane = 0; lane < width; lane++)
        {
            ofGroup[lane] = scales[places[lane] + group] * SmallE4M3.Missing;
        }

        (scale, nextScale) = (TSimd.Load(ofGroup), TSimd.Load(ofGroup + TSimd.Lanes));
        offset = nextOffset = TSimd.Create(0);
    }
}
