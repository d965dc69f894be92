using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Eight codes of 4 bits in a word, four in each half of it. Used by <see cref="NibbleCodes{TTable}"/> and
/// <see cref="SuperblockCodes{TBits}"/>.</summary>
internal static class PackedNibbles
{
    public const int PerWord = 8;

    public const int Steps = PerWord / 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V words, int step)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Nibbles(words, 4 * step);
}
