using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Codes as they lie in their words.</content>
internal readonly unsafe partial struct Simd256
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SmallE4M3(Vector256<float> words, int shift) =>
        (((shift == 0 ? words.AsInt32() : words.AsInt32() << shift) >> 4) & Vector256.Create(unchecked((int)0x87F0_0000))).AsSingle();

    /// <summary>Twice what each code stands for.</summary>
    public static Vector128<sbyte> E2M1Bytes => Vector128.Create(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> TwiceE2M1(Vector256<float> words, int shift)
    {
        var codes = (shift == 0 ? words.AsUInt32() : words.AsUInt32() >>> shift) & Vector256.Create(0x0F0F_0F0Fu);
        if (Avx2.IsSupported)
        {
            return Avx2.Shuffle(Vector256.Create(E2M1Bytes, E2M1Bytes), codes.AsSByte()).AsSingle();
        }

        var (low, high) = (codes.GetLower().AsSByte(), codes.GetUpper().AsSByte());
        return Vector256.Create(Vector128.Shuffle(E2M1Bytes, low), Vector128.Shuffle(E2M1Bytes, high)).AsSingle();
    }
}
