using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Fp8Matrix"/>; the table is a row of F32 scales.</summary>
internal readonly unsafe struct Fp8Codes : IPanelCodes
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<V, TSimd>(byte* table, uint* codes, int* groups, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        V scale = TSimd.Load((float*)table), nextScale = TSimd.Load((float*)table + lanes);
        for (var k = firstK; k < firstK + count; k++)
        {
            var words = codes + (long)(k / 4) * 2 * lanes;
            var shift = 8 * (k % 4);
            TSimd.Store(TSimd.Multiply(TSimd.E4M3(words, shift), scale), target);
            TSimd.Store(TSimd.Multiply(TSimd.E4M3(words + lanes, shift), nextScale), target + lanes);
            target += 2 * lanes;
        }
    }
}
