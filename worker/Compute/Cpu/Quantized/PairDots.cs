using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Even and odd bytes as numbers of 16 bits, which every processor with vectors multiplies and adds in pairs. Inputs k0 and k2
/// share a word, then k1 and k3.</summary>
internal readonly unsafe struct PairDots : IByteDots
{
    public static int Steps => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<int> inputs, int* target, int stride)
    {
        var pairs = (inputs.GetLower() & Vector64.Create(0xFFFF)) | (inputs.GetUpper() << 16);
        target[0] = pairs[0];
        target[stride] = pairs[1];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<V, TSimd>(V words)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.EvenBytes(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<V, TSimd>(V words)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.OddBytes(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Add<V, TSimd>(V weights, int x, V sums)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.AddPairs(weights, x, sums);
}
