using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of packed weights and of the FP8 cache.</content>
internal readonly unsafe partial struct Simd512
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Codes(uint* words, int shift, uint mask) =>
        Vector512.ConvertToSingle(((Vector512.Load(words) >>> shift) & Vector512.Create(mask)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadE8M0(byte* source) =>
        Vector512.Max(LoadBytes(source) << 23, Vector512.Create(1u << 22)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Lookup(float* table, int stride, uint* words, int shift) => Vector512.Create(
        Simd256.Lookup(table, stride, words, shift), Simd256.Lookup(table + Simd256.Lanes, stride, words + Simd256.Lanes, shift));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadE4M3(byte* source) => WidenE4M3(LoadBytes(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadE5M2(byte* source)
    {
        var codes = LoadBytes(source);
        var magnitude = codes & Vector512.Create(0x7Fu);

        // The largest exponent means infinity or NaN in both types.
        var exponent = Vector512.ConditionalSelect(
            Vector512.LessThan(magnitude, Vector512.Create(0x7Cu)), Vector512.Create(112u << 23), Vector512.Create(224u << 23));
        return Join(codes, magnitude, (magnitude << 21) + exponent, smallestNormal: 4, step: 1 / 65536f);
    }

    /// <summary>E4M3 in the low byte of each word; what is above it does not matter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> WidenE4M3(Vector512<uint> codes)
    {
        var magnitude = codes & Vector512.Create(0x7Fu);
        var isNaN = Vector512.Equals(magnitude, Vector512.Create(0x7Fu));
        return Join(codes, magnitude, ((magnitude << 20) + Vector512.Create(120u << 23)) | isNaN, smallestNormal: 8, step: 1 / 512f);
    }

    /// <summary>Subnormals are counted in steps: multiplying a subnormal F32 into place, as <see cref="LowF16"/> does, traps into microcode
    /// on many processors, and in a cache, whose numbers no scale moves upwards, subnormals are frequent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Join(
        Vector512<uint> codes, Vector512<uint> magnitude, Vector512<uint> normal, int smallestNormal, float step)
    {
        var subnormal = Vector512.ConvertToSingle(magnitude.AsInt32()) * Vector512.Create(step);
        var isSubnormal = Vector512.LessThan(magnitude.AsInt32(), Vector512.Create(smallestNormal)).AsUInt32();
        var sign = (codes & Vector512.Create(0x80u)) << 24;
        return (Vector512.ConditionalSelect(isSubnormal, subnormal.AsUInt32(), normal) | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> LoadBytes(byte* source)
    {
        var bytes = Vector128.Load(source);
        if (Avx512F.IsSupported)
        {
            return Avx512F.ConvertToVector512UInt32(bytes);
        }

        var halves = Vector256.Create(Vector128.WidenLower(bytes), Vector128.WidenUpper(bytes));
        return Vector512.Create(Vector256.WidenLower(halves), Vector256.WidenUpper(halves));
    }
}
