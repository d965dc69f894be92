using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="BlockFp8Matrix"/>; the table has for each output where among the floats behind it the scales of its block are, one
/// for each group.</summary>
internal readonly unsafe struct BlockFp8Codes : IPanelCodes
{
    private const int MostLanes = 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<V, TSimd>(byte* table, uint* codes, PanelGroups groups, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        var places = (uint*)table;
        var scales = (float*)table + width;
        var ofGroup = stackalloc float[2 * MostLanes];
        var end = firstK + count;
        for (var k = firstK; k < end;)
        {
            for (var lane = 0; lane < width; lane++)
            {
                ofGroup[lane] = scales[places[lane] + groups.Of(k)];
            }

            var length = Math.Min(end, groups.EndOf(k)) - k;
            Fp8Codes.DecodeRun<V, TSimd>(codes, TSimd.Load(ofGroup), TSimd.Load(ofGroup + TSimd.Lanes), k, length, target);
            k += length;
            target += (long)length * width;
        }
    }
}
