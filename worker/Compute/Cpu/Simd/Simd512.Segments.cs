using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Codes as they lie in their words.</content>
internal readonly unsafe partial struct Simd512
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SmallE4M3(Vector512<float> words, int shift) =>
        (((shift == 0 ? words.AsInt32() : words.AsInt32() << shift) >> 4) & Vector512.Create(unchecked((int)0x87F0_0000))).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> TwiceE2M1(Vector512<float> words, int shift)
    {
        if (!Avx512BW.IsSupported)
        {
            return Vector512.Create(Simd256.TwiceE2M1(words.GetLower(), shift), Simd256.TwiceE2M1(words.GetUpper(), shift));
        }

        var codes = (shift == 0 ? words.AsUInt32() : words.AsUInt32() >>> shift) & Vector512.Create(0x0F0F_0F0Fu);
        var table = Vector256.Create(Simd256.E2M1Bytes, Simd256.E2M1Bytes);
        return Avx512BW.Shuffle(Vector512.Create(table, table), codes.AsSByte()).AsSingle();
    }
}
