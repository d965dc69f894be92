using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GroupedMatrix"/>; the table has a pair of weights' place for each group: scales in that of the even k, zeros in that of the odd.</summary>
internal readonly unsafe struct GroupedCodes<TBits, TTable> : IPanelCodes
    where TBits : ICodeBits
    where TTable : IPanelFormat
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<V, TSimd>(byte* table, uint* codes, int* groups, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        var perWord = 32 / TBits.Count;
        var mask = (1u << TBits.Count) - 1;
        var group = -1;
        V scale = TSimd.Create(0), nextScale = scale, zero = scale, nextZero = scale;
        for (var k = firstK; k < firstK + count; k++)
        {
            if (groups[k] != group)
            {
                group = groups[k];
                var row = table + (long)group * 2 * lanes * TTable.PairBytes;
                scale = TTable.Even<V, TSimd>(row, 0);
                nextScale = TTable.Even<V, TSimd>(row, 1);
                zero = TTable.Odd<V, TSimd>(row, 0);
                nextZero = TTable.Odd<V, TSimd>(row, 1);
            }

            var words = codes + (long)(k / perWord) * 2 * lanes;
            var shift = TBits.Count * (k % perWord);
            TSimd.Store(TSimd.Multiply(TSimd.Subtract(TSimd.Codes(words, shift, mask), zero), scale), target);
            TSimd.Store(TSimd.Multiply(TSimd.Subtract(TSimd.Codes(words + lanes, shift, mask), nextZero), nextScale), target + lanes);
            target += 2 * lanes;
        }
    }
}
