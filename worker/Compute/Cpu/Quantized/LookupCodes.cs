using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="LookupMatrix"/>; the table has the 16 entries where 16 consecutive k would have their weights.</summary>
internal readonly unsafe struct LookupCodes<TTable> : IPanelCodes
    where TTable : IPanelFormat
{
    private const int MostLanes = 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<V, TSimd>(byte* table, uint* codes, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        var entries = stackalloc float[LookupMatrix.Entries * 2 * MostLanes];
        for (var entry = 0; entry < LookupMatrix.Entries; entry += 2)
        {
            var pair = table + (long)entry * lanes * TTable.PairBytes;
            var row = entries + entry * 2 * lanes;
            TSimd.Store(TTable.Even<V, TSimd>(pair, 0), row);
            TSimd.Store(TTable.Even<V, TSimd>(pair, 1), row + lanes);
            TSimd.Store(TTable.Odd<V, TSimd>(pair, 0), row + 2 * lanes);
            TSimd.Store(TTable.Odd<V, TSimd>(pair, 1), row + 3 * lanes);
        }

        for (var k = firstK; k < firstK + count; k++)
        {
            var words = codes + (long)(k / 8) * 2 * lanes;
            var shift = 4 * (k % 8);
            TSimd.Store(TSimd.Lookup(entries, 2 * lanes, words, shift), target);
            TSimd.Store(TSimd.Lookup(entries + lanes, 2 * lanes, words + lanes, shift), target + lanes);
            target += 2 * lanes;
        }
    }
}
