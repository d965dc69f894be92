using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GroupedMatrix"/> whose zeros are all in the middle of the codes, so that what they take away is known before
/// anything is scaled; the table has the scales of each group.</summary>
/// <typeparam name="TCodes">How codes lie in words.</typeparam>
/// <typeparam name="TScales">What scales are.</typeparam>
internal readonly unsafe struct SymmetricCodes<TCodes, TScales> : ISegmentCodes
    where TCodes : ISegmentCodes
    where TScales : IPanelScales
{
    public static int PerWord => TCodes.PerWord;

    public static bool AreIntegers => true;

    public static bool HasOffsets => false;

    /// <summary>Half of the range of 4 bits; bytes are signed.</summary>
    public static int Middle
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TCodes.PerWord == PackedNibbles.PerWord ? 8 : 0;
    }

    public static int Steps => TCodes.Steps;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V half, int step)
        where V : unmanaged
        where TSimd : ISimd<V> => TCodes.Weights<V, TSimd>(half, step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadGroup<V, TSimd>(byte* table, int group, out V scale, out V nextScale, out V offset, out V nextOffset)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var row = table + (long)group * 2 * TSimd.Lanes * TScales.Bytes;
        scale = TScales.Load<V, TSimd>(row);
        nextScale = TScales.Load<V, TSimd>(row + TSimd.Lanes * TScales.Bytes);
        offset = nextOffset = TSimd.Create(0);
    }
}
