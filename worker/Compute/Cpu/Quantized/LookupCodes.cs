using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="LookupMatrix"/>, for <see cref="LookupGemmJob{V, TSimd, TTable}"/>; the table has the 16 entries where 16
/// consecutive k would have their weights.</summary>
internal static unsafe class LookupCodes<TTable>
    where TTable : IPanelFormat
{
    private const int MostLanes = 16;

    /// <summary>Writes the weights of a run of inputs as <see cref="F32Panel"/> stores them.</summary>
    /// <param name="table">The panel's entries.</param>
    /// <param name="codes">The panel's codes.</param>
    /// <param name="target"><c>[count][panel width]</c>.</param>
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
