using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Cluster.Worker.Models.Sources.Twins;

/// <summary>Codes of weights that lie within ± <see cref="SyntheticMatrix.Amplitude"/>.</summary>
internal static unsafe class TwinCodes
{
    /// <summary>The zero of 4-bit codes.</summary>
    public const int Middle = 8;

    /// <summary>Rounded to F16, as it is stored: the largest weight has the code 15, the smallest one 1.</summary>
    public static readonly Half Scale4 = (Half)(SyntheticMatrix.Amplitude / 7);

    /// <summary>Bits in BF16 of a scale that takes the largest weight to 127 at most.</summary>
    public static readonly ushort Scale8 = (ushort)((BitConverter.SingleToUInt32Bits(SyntheticMatrix.Amplitude / 127) >> 16) + 1);

    /// <summary>Bits in BF16 of <see cref="Scale4"/>, rounded up.</summary>
    public static readonly ushort Scale4BF16 = (ushort)((BitConverter.SingleToUInt32Bits(SyntheticMatrix.Amplitude / 7) >> 16) + 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Nearest(ushort weight, float perUnit, int least, int most) =>
        Math.Clamp((int)MathF.Round(SyntheticMatrix.Widened(weight) * perUnit), least, most);

    /// <summary>The same number throughout.</summary>
    public static void Repeat<T>(nint address, long count, T value)
        where T : unmanaged
    {
        for (long done = 0; done < count;)
        {
            var length = (int)Math.Min(count - done, 1 << 28);
            MemoryMarshal.CreateSpan(ref Unsafe.AsRef<T>((T*)address + done), length).Fill(value);
            done += length;
        }
    }
}
