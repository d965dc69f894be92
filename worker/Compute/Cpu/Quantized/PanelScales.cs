using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How the scales of a panel's outputs lie, one after another. Used by <see cref="SymmetricCodes{TCodes, TScales}"/>.</summary>
internal unsafe interface IPanelScales
{
    /// <summary>Bytes of a scale.</summary>
    static abstract int Bytes { get; }

    static abstract V Load<V, TSimd>(byte* scales)
        where V : unmanaged
        where TSimd : ISimd<V>;
}

internal readonly unsafe struct F16PanelScales : IPanelScales
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* scales)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadFiniteF16(scales);
}

internal readonly unsafe struct Bf16PanelScales : IPanelScales
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* scales)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadBf16(scales);
}

internal readonly unsafe struct F32PanelScales : IPanelScales
{
    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* scales)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Load((float*)scales);
}
