using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Eight codes of 4 bits in a word, taken out where they are. Used by <see cref="NibbleCodes{TTable}"/> and
/// <see cref="NibbleSuperblockCodes"/>.</summary>
internal static class PackedNibbles
{
    public const int PerWord = 8;

    private const int Last = PerWord - 1;

    /// <summary>See <see cref="ISegmentCodes.Factor"/>.</summary>
    public static float Factor(int place) => place == Last ? 1 : 1f / (1 << (4 * place));

    /// <summary>The last nibble would be a sign where it is, and is shifted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V words, int place)
        where V : unmanaged
        where TSimd : ISimd<V> => place == Last ? TSimd.HighCodes(words, 4 * Last) : TSimd.MaskedCodes(words, 15u << (4 * place));
}
