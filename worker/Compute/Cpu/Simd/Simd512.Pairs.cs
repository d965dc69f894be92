using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Two vectors of BF16 at a time, one after the other.</content>
internal readonly unsafe partial struct Simd512
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBf16Pair(byte* first, byte* second, out Vector512<float> a, out Vector512<float> b)
    {
        a = LoadBf16(first);
        b = LoadBf16(second);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair(float* first, float* second, out Vector512<float> a, out Vector512<float> b)
    {
        a = Vector512.Load(first);
        b = Vector512.Load(second);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePair(Vector512<float> a, Vector512<float> b, float* first, float* second)
    {
        a.Store(first);
        b.Store(second);
    }
}
