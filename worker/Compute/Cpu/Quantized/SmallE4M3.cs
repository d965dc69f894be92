using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Four E4M3 in a word, whose exponent and fraction are moved to where F32 has them. That makes them 2^120 too small; inputs are
/// made 2^96 larger for it, and may be up to 2^32, and scales make up for the rest. Used by <see cref="Fp8Codes"/> and
/// <see cref="BlockFp8Codes"/>.</summary>
/// <remarks>A subnormal is a subnormal F32, which traps into microcode on some processors; among weights, which are scaled to the largest
/// of their row or block, there are few.</remarks>
internal static class SmallE4M3
{
    public const int PerWord = 4;

    /// <summary>2^96. See <see cref="ISegmentCodes.Factor"/>.</summary>
    public const float Factor = 7.9228162514264338e28f;

    /// <summary>2^24: what products are still too small by.</summary>
    public const float Missing = 1 << 24;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V words, int place)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.SmallE4M3(words, 24 - 8 * place);
}
