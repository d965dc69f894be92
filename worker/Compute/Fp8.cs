namespace Cluster.Worker.Compute;

/// <summary>The two 8-bit floating-point types of the OCP specification (Micikevicius et al. 2022, "FP8 formats for deep learning"), one
/// element at a time. Called for cache writes, for what does not fill a vector, and by tests; vectors are decoded by
/// <c>Cpu.Simd</c>.</summary>
/// <remarks>
/// <code>
///        sign exponent mantissa  bias   largest   special codes
/// E4M3   1    4        3         7      448       0x7F, 0xFF: NaN; no infinities (the "FN" variant of checkpoints)
/// E5M2   1    5        2         15     57344     0x7C, 0xFC: infinity; above: NaN
/// </code>
/// Encoding rounds to nearest, ties to even, and saturates: what is too large, infinity included, becomes the largest finite value. NaN
/// stays NaN.
/// </remarks>
internal static class Fp8
{
    public const float MaxE4M3 = 448;
    public const float MaxE5M2 = 57344;
    public const byte NaN = 0x7F;

    private const byte Sign = 0x80;

    public static float FromE4M3(byte code)
    {
        var magnitude = code & NaN;
        var value = magnitude switch
        {
            NaN => float.NaN,
            < 1 << 3 => magnitude / 512f,
            _ => BitConverter.Int32BitsToSingle((magnitude << 20) + (120 << 23)),
        };
        return (code & Sign) == 0 ? value : -value;
    }

    public static float FromE5M2(byte code)
    {
        var magnitude = code & NaN;
        var value = magnitude switch
        {
            > 0x7C => float.NaN,
            0x7C => float.PositiveInfinity,
            < 1 << 2 => magnitude / 65536f,
            _ => BitConverter.Int32BitsToSingle((magnitude << 21) + (112 << 23)),
        };
        return (code & Sign) == 0 ? value : -value;
    }

    public static byte ToE4M3(float value) => Encode(value, mantissaBits: 3, bias: 7, MaxE4M3, maxCode: 0x7E);

    public static byte ToE5M2(float value) => Encode(value, mantissaBits: 2, bias: 15, MaxE5M2, maxCode: 0x7B);

    private static byte Encode(float value, int mantissaBits, int bias, float max, int maxCode)
    {
        var magnitude = MathF.Abs(value);
        var sign = (int)(BitConverter.SingleToUInt32Bits(value) >> 24) & Sign;
        if (float.IsNaN(magnitude))
        {
            return (byte)(sign | NaN);
        }

        if (magnitude >= max)
        {
            return (byte)(sign | maxCode);
        }

        // Below the smallest normal number codes are multiples of one step, and one step past the last of them is that number's code.
        var smallestNormal = BitConverter.Int32BitsToSingle((128 - bias) << 23);
        if (magnitude < smallestNormal)
        {
            return (byte)(sign | (int)MathF.Round(magnitude / smallestNormal * (1 << mantissaBits)));
        }

        var dropped = 23 - mantissaBits;
        var bits = BitConverter.SingleToInt32Bits(magnitude);
        bits += (1 << (dropped - 1)) - 1 + ((bits >> dropped) & 1);
        return (byte)(sign | ((bits >> dropped) - ((127 - bias) << mantissaBits)));
    }
}
