using Bits = System.BitConverter;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Products of integers.</content>
internal readonly unsafe partial struct SimdScalar
{
    public static bool HasQuads => false;

    public static float EvenBytes(float words) => Bits.UInt32BitsToSingle(Bits.SingleToUInt32Bits(words) & 0x00FF_00FF);

    public static float OddBytes(float words) => Bits.UInt32BitsToSingle((Bits.SingleToUInt32Bits(words) >> 8) & 0x00FF_00FF);

    public static float SignedEvenBytes(float words)
    {
        var word = Bits.SingleToUInt32Bits(words);
        return OfPair((sbyte)word, (sbyte)(word >> 16));
    }

    public static float SignedOddBytes(float words)
    {
        var word = Bits.SingleToUInt32Bits(words);
        return OfPair((sbyte)(word >> 8), (sbyte)(word >> 24));
    }

    public static float Nibbles(float words, int shift) =>
        Bits.UInt32BitsToSingle((Bits.SingleToUInt32Bits(words) >> shift) & 0x000F_000F);

    public static float ShiftHalves(float words, int shift)
    {
        var word = Bits.SingleToUInt32Bits(words);
        return Bits.UInt32BitsToSingle(((word & 0xFFFF) >> shift) | (word >> 16 >> shift << 16));
    }

    public static float SplitNibbles(float words, int shift, float high, int highShift, int highBits)
    {
        var mask = (1u << highBits) - 1;
        var upper = (Bits.SingleToUInt32Bits(high) >> highShift) & (mask | (mask << 16));
        return Bits.UInt32BitsToSingle(Bits.SingleToUInt32Bits(Nibbles(words, shift)) | (upper << 4));
    }

    public static float AddPairs(float words, float others, float sums) => AddPairs(words, Bits.SingleToInt32Bits(others), sums);

    public static float SubtractIntegers(float sums, float others) =>
        Bits.Int32BitsToSingle(Bits.SingleToInt32Bits(sums) - Bits.SingleToInt32Bits(others));

    public static float Rounded(float sums) => Bits.SingleToInt32Bits(sums);

    public static float AddPairs(float words, int x, float sums)
    {
        var word = Bits.SingleToInt32Bits(words);
        return Bits.Int32BitsToSingle(Bits.SingleToInt32Bits(sums) + ((short)word * (short)x) + ((word >> 16) * (x >> 16)));
    }

    public static float AddQuads(float words, int x, float sums)
    {
        var word = Bits.SingleToUInt32Bits(words);
        return Bits.Int32BitsToSingle(
            Bits.SingleToInt32Bits(sums) + ((byte)word * (sbyte)x) + ((byte)(word >> 8) * (sbyte)(x >> 8))
            + ((byte)(word >> 16) * (sbyte)(x >> 16)) + ((byte)(word >> 24) * (sbyte)(x >> 24)));
    }

    public static float WithoutZeros(float sums, float zeros, int total) => Bits.SingleToInt32Bits(sums) - ((int)zeros * total);

    private static float OfPair(short low, short high) => Bits.Int32BitsToSingle((ushort)low | (high << 16));
}
