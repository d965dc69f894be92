using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of packed weights and of the FP8 cache.</content>
internal readonly unsafe partial struct Simd512
{
    /// <summary>The high bytes of the BF16 that the E4M3 from 0 on are.</summary>
    private static ReadOnlySpan<byte> HighBytes =>
    [
        0x00, 0x3B, 0x3B, 0x3B, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C,
        0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D,
        0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E,
        0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F,
        0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
        0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41,
        0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
        0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43,
    ];

    /// <summary>The low bytes.</summary>
    private static ReadOnlySpan<byte> LowBytes =>
    [
        0x00, 0x00, 0x80, 0xC0, 0x00, 0x20, 0x40, 0x60, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    ];

    /// <summary>Low and high byte, which come from a second vector, of bytes 0 and 1 of each word.</summary>
    private static ReadOnlySpan<byte> FirstPairs =>
    [
        0, 64, 1, 65, 4, 68, 5, 69, 8, 72, 9, 73, 12, 76, 13, 77,
        16, 80, 17, 81, 20, 84, 21, 85, 24, 88, 25, 89, 28, 92, 29, 93,
        32, 96, 33, 97, 36, 100, 37, 101, 40, 104, 41, 105, 44, 108, 45, 109,
        48, 112, 49, 113, 52, 116, 53, 117, 56, 120, 57, 121, 60, 124, 61, 125,
    ];

    /// <summary>The same of bytes 2 and 3.</summary>
    private static ReadOnlySpan<byte> SecondPairs =>
    [
        2, 66, 3, 67, 6, 70, 7, 71, 10, 74, 11, 75, 14, 78, 15, 79,
        18, 82, 19, 83, 22, 86, 23, 87, 26, 90, 27, 91, 30, 94, 31, 95,
        34, 98, 35, 99, 38, 102, 39, 103, 42, 106, 43, 107, 46, 110, 47, 111,
        50, 114, 51, 115, 54, 118, 55, 119, 58, 122, 59, 123, 62, 126, 63, 127,
    ];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Codes(uint* words, int shift, uint mask) =>
        Vector512.ConvertToSingle(((Vector512.Load(words) >>> shift) & Vector512.Create(mask)).AsInt32());

    /// <summary>By tables of 128 bytes: an E4M3 without its sign is the place of a BF16's two bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FiniteE4M3(
        uint* words, out Vector512<float> first, out Vector512<float> second, out Vector512<float> third, out Vector512<float> fourth)
    {
        if (!Avx512Vbmi.IsSupported)
        {
            first = E4M3(words, 0);
            second = E4M3(words, 8);
            third = E4M3(words, 16);
            fourth = E4M3(words, 24);
            return;
        }

        var codes = Vector512.Load((byte*)words);
        var highs = Avx512Vbmi.PermuteVar64x8x2(Table(HighBytes, 0), codes, Table(HighBytes, 64)) | (codes & Vector512.Create((byte)0x80));
        var lows = Avx512Vbmi.PermuteVar64x8x2(Table(LowBytes, 0), codes, Table(LowBytes, 64));

        // Bytes 0 and 1, then 2 and 3, of each word as a pair of BF16.
        var pair = Avx512Vbmi.PermuteVar64x8x2(lows, Table(FirstPairs, 0), highs).AsUInt32();
        first = (pair << 16).AsSingle();
        second = (pair & Vector512.Create(0xFFFF_0000u)).AsSingle();
        pair = Avx512Vbmi.PermuteVar64x8x2(lows, Table(SecondPairs, 0), highs).AsUInt32();
        third = (pair << 16).AsSingle();
        fourth = (pair & Vector512.Create(0xFFFF_0000u)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> E4M3(uint* words, int shift) => WidenE4M3(Vector512.Load(words) >>> shift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> E2M1(uint* words, int shift) => Vector512.ShuffleNative(
        Vector512.Create(0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6),
        Index(Vector512.Load(words) >>> shift));

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

    /// <summary>Places in 16 floats: the instruction looks at four bits only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Index(Vector512<uint> codes) =>
        Avx512F.IsSupported ? codes.AsInt32() : (codes & Vector512.Create(15u)).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Table(ReadOnlySpan<byte> table, nuint first) =>
        Vector512.LoadUnsafe(ref MemoryMarshal.GetReference(table), first);

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
