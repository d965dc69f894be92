using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Fp8Matrix"/>; the table is a row of F32 scales.</summary>
internal readonly unsafe struct Fp8Codes : IPanelCodes
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<V, TSimd>(byte* table, uint* codes, PanelGroups groups, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V> =>
        DecodeRun<V, TSimd>(codes, TSimd.Load((float*)table), TSimd.Load((float*)table + TSimd.Lanes), firstK, count, target);

    /// <summary>Inputs that share their scales.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DecodeRun<V, TSimd>(uint* codes, V scale, V nextScale, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        var end = firstK + count;
        for (var k = firstK; k < end;)
        {
            var words = codes + (long)(k / 4) * 2 * lanes;
            if (k % 4 == 0 && k + 4 <= end)
            {
                DecodeWord<V, TSimd>(words, scale, target);
                DecodeWord<V, TSimd>(words + lanes, nextScale, target + lanes);
                k += 4;
                target += 4 * 2 * lanes;
                continue;
            }

            TSimd.Store(TSimd.Multiply(TSimd.E4M3(words, 8 * (k % 4)), scale), target);
            TSimd.Store(TSimd.Multiply(TSimd.E4M3(words + lanes, 8 * (k % 4)), nextScale), target + lanes);
            k++;
            target += 2 * lanes;
        }
    }

    /// <summary>All codes of a vector of words; unrolled, for shifts by constants take one instruction less.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeWord<V, TSimd>(uint* words, V scale, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        TSimd.Store(TSimd.Multiply(TSimd.E4M3(words, 0), scale), target);
        TSimd.Store(TSimd.Multiply(TSimd.E4M3(words, 8), scale), target + width);
        TSimd.Store(TSimd.Multiply(TSimd.E4M3(words, 16), scale), target + 2 * width);
        TSimd.Store(TSimd.Multiply(TSimd.E4M3(words, 24), scale), target + 3 * width);
    }
}
