using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Two vectors of BF16 at a time: of each word its low half in the first and its high half in the second, which takes one load
/// and two operations, where widening takes two of each.
/// <code>
/// words   │e0 e1│e2 e3│e4 e5│ … │e14 e15│
/// a       │e0   │e2   │e4   │ … │e14    │
/// b       │e1   │e3   │e5   │ … │e15    │
/// </code></content>
internal readonly unsafe partial struct Simd256
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBf16Pair(byte* first, byte* second, out Vector256<float> a, out Vector256<float> b)
    {
        if (!Avx.IsSupported)
        {
            a = LoadBf16(first);
            b = LoadBf16(second);
            return;
        }

        var words = Vector256.Load((uint*)first);
        a = (words << 16).AsSingle();
        b = (words & Vector256.Create(0xFFFF_0000u)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair(float* first, float* second, out Vector256<float> a, out Vector256<float> b)
    {
        Vector256<float> low = Vector256.Load(first), high = Vector256.Load(second);
        if (!Avx.IsSupported)
        {
            a = low;
            b = high;
            return;
        }

        var outer = Avx.Permute2x128(low, high, 0x20);
        var inner = Avx.Permute2x128(low, high, 0x31);
        a = Avx.Shuffle(outer, inner, 0b10_00_10_00);
        b = Avx.Shuffle(outer, inner, 0b11_01_11_01);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePair(Vector256<float> a, Vector256<float> b, float* first, float* second)
    {
        if (!Avx.IsSupported)
        {
            a.Store(first);
            b.Store(second);
            return;
        }

        var outer = Avx.UnpackLow(a, b);
        var inner = Avx.UnpackHigh(a, b);
        Avx.Permute2x128(outer, inner, 0x20).Store(first);
        Avx.Permute2x128(outer, inner, 0x31).Store(second);
    }
}
