using Bits = System.BitConverter;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Codes as they lie in their words.</content>
internal readonly unsafe partial struct SimdScalar
{
    public static float SmallE4M3(float words, int shift) =>
        Bits.Int32BitsToSingle(((Bits.SingleToInt32Bits(words) << shift) >> 4) & unchecked((int)0x87F0_0000));

    public static float TwiceE2M1(float words, int shift)
    {
        var codes = Bits.SingleToUInt32Bits(words) >> shift;
        var bytes = 0u;
        for (var place = 0; place < 32; place += 8)
        {
            bytes |= (uint)(byte)Simd256.E2M1Bytes[(int)(codes >> place) & 15] << place;
        }

        return Bits.UInt32BitsToSingle(bytes);
    }
}
