using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>BF16, both k of a pair in one 32-bit word.</summary>
internal readonly unsafe struct Bf16Panel : IPanelFormat
{
    public static int PairBytes => 4;

    public static bool WidensSlowly => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Even<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LowBf16((uint*)pair + vector * TSimd.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Odd<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.HighBf16((uint*)pair + vector * TSimd.Lanes);
}

/// <summary>F16, both k of a pair in one 32-bit word.</summary>
internal readonly unsafe struct F16Panel : IPanelFormat
{
    public static int PairBytes => 4;

    public static bool WidensSlowly => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Even<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LowF16((uint*)pair + vector * TSimd.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Odd<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.HighF16((uint*)pair + vector * TSimd.Lanes);
}

/// <summary>F32, the even k of all outputs before the odd k.</summary>
internal readonly unsafe struct F32Panel : IPanelFormat
{
    public static int PairBytes => 8;

    public static bool WidensSlowly => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Even<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Load((float*)pair + vector * TSimd.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Odd<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Load((float*)pair + (2 + vector) * TSimd.Lanes);
}

/// <summary><see cref="F32Panel"/> of which a block was written to the nearest cache just now.</summary>
internal readonly unsafe struct NearPanel : IPanelFormat
{
    public static int PairBytes => F32Panel.PairBytes;

    public static bool WidensSlowly => false;

    public static bool IsFar => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Even<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V> => F32Panel.Even<V, TSimd>(pair, vector);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Odd<V, TSimd>(byte* pair, int vector)
        where V : unmanaged
        where TSimd : ISimd<V> => F32Panel.Odd<V, TSimd>(pair, vector);
}
