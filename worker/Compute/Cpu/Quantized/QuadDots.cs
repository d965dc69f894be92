using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Bytes as they are, where the processor multiplies and adds four at once (AVX-VNNI).</summary>
internal readonly unsafe struct QuadDots : IByteDots
{
    public static int Steps => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<int> inputs, int* target, int stride)
    {
        var halves = Vector128.Narrow(inputs, inputs);
        *target = Vector128.Narrow(halves, halves).AsInt32()[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<V, TSimd>(V words)
        where V : unmanaged
        where TSimd : ISimd<V> => words;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<V, TSimd>(V words)
        where V : unmanaged
        where TSimd : ISimd<V> => words;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Add<V, TSimd>(V weights, int x, V sums)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.AddQuads(weights, x, sums);
}
