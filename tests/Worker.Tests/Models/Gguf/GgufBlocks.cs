using System.Runtime.InteropServices;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>Encodes floats as ggml's block types, and says what was encoded: an encoder knows its codes, so no decoder is needed to
/// compare with. The roundings are plain ones; ggml's own search for better scales.</summary>
internal static class GgufBlocks
{
    public static readonly string[] Types = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K"];

    public static uint Number(string type) => type switch
    {
        "F32" => 0,
        "F16" => 1,
        "Q4_0" => 2,
        "Q8_0" => 8,
        "Q4_K" => 12,
        "Q5_K" => 13,
        "Q6_K" => 14,
        "BF16" => 30,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    public static int BlockSize(string type) => type.Contains("_K", StringComparison.Ordinal) ? 256 : type.StartsWith('Q') ? 32 : 1;

    /// <returns>The blocks, and the floats that they stand for.</returns>
    public static (byte[] Bytes, float[] Values) Encode(string type, float[] values)
    {
        var decoded = new float[values.Length];
        using MemoryStream bytes = new();
        using BinaryWriter writer = new(bytes);
        var size = BlockSize(type);
        for (var first = 0; first < values.Length; first += size)
        {
            Encode(type, values.AsSpan(first, size), decoded.AsSpan(first, size), writer);
        }

        return (bytes.ToArray(), decoded);
    }

    private static void Encode(string type, ReadOnlySpan<float> x, Span<float> decoded, BinaryWriter writer)
    {
        switch (type)
        {
            case "F32":
                decoded[0] = x[0];
                writer.Write(x[0]);
                break;
            case "F16":
                decoded[0] = (float)(Half)x[0];
                writer.Write((Half)x[0]);
                break;
            case "BF16":
                var bits = BitConverter.SingleToUInt32Bits(x[0]);
                bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
                decoded[0] = BitConverter.UInt32BitsToSingle(bits << 16);
                writer.Write((ushort)bits);
                break;
            case "Q8_0":
                EncodeQ8(x, decoded, writer);
                break;
            case "Q4_0":
                EncodeQ4(x, decoded, writer);
                break;
            case "Q6_K":
                EncodeQ6K(x, decoded, writer);
                break;
            default:
                EncodeWithMinima(type == "Q4_K" ? 4 : 5, x, decoded, writer);
                break;
        }
    }

    private static void EncodeQ8(ReadOnlySpan<float> x, Span<float> decoded, BinaryWriter writer)
    {
        var scale = (Half)(Largest(x) / 127);
        writer.Write(scale);
        for (var i = 0; i < 32; i++)
        {
            var code = (sbyte)Nearest(x[i], (float)scale, -127, 127);
            decoded[i] = (float)scale * code;
            writer.Write(code);
        }
    }

    private static void EncodeQ4(ReadOnlySpan<float> x, Span<float> decoded, BinaryWriter writer)
    {
        // A negative scale, as ggml has where the largest value is positive: the code -8 has no counterpart.
        var scale = (Half)(SignedLargest(x) / -8);
        var codes = new byte[32];
        for (var i = 0; i < 32; i++)
        {
            codes[i] = (byte)(Nearest(x[i], (float)scale, -8, 7) + 8);
            decoded[i] = (float)scale * (codes[i] - 8);
        }

        writer.Write(scale);
        for (var i = 0; i < 16; i++)
        {
            writer.Write((byte)(codes[i] | (codes[16 + i] << 4)));
        }
    }

    private static void EncodeWithMinima(int bits, ReadOnlySpan<float> x, Span<float> decoded, BinaryWriter writer)
    {
        var most = (1 << bits) - 1;
        var (scales, minima) = (new float[8], new float[8]);
        for (var group = 0; group < 8; group++)
        {
            var part = x.Slice(group * 32, 32);
            var lowest = Math.Min(0, Lowest(part));
            minima[group] = -lowest;
            scales[group] = (Highest(part) - lowest) / most;
        }

        var (d, dmin) = ((Half)(scales.Max() / 63), (Half)(minima.Max() / 63));
        var (scaleCodes, minimumCodes) = (new int[8], new int[8]);
        var codes = new int[256];
        for (var group = 0; group < 8; group++)
        {
            scaleCodes[group] = Nearest(scales[group], (float)d, 0, 63);
            minimumCodes[group] = Nearest(minima[group], (float)dmin, 0, 63);
            var (scale, minimum) = ((float)d * scaleCodes[group], (float)dmin * minimumCodes[group]);
            for (var i = group * 32; i < (group + 1) * 32; i++)
            {
                codes[i] = Nearest(x[i] + minimum, scale, 0, most);
                decoded[i] = (scale * codes[i]) - minimum;
            }
        }

        writer.Write(d);
        writer.Write(dmin);
        for (var j = 0; j < 4; j++)
        {
            writer.Write((byte)(scaleCodes[j] | (scaleCodes[4 + j] >> 4 << 6)));
        }

        for (var j = 0; j < 4; j++)
        {
            writer.Write((byte)(minimumCodes[j] | (minimumCodes[4 + j] >> 4 << 6)));
        }

        for (var j = 4; j < 8; j++)
        {
            writer.Write((byte)((scaleCodes[j] & 15) | ((minimumCodes[j] & 15) << 4)));
        }

        for (var i = 0; bits == 5 && i < 32; i++)
        {
            var high = 0;
            for (var group = 0; group < 8; group++)
            {
                high |= codes[(group * 32) + i] >> 4 << group;
            }

            writer.Write((byte)high);
        }

        for (var pair = 0; pair < 4; pair++)
        {
            for (var i = 0; i < 32; i++)
            {
                writer.Write((byte)((codes[(pair * 64) + i] & 15) | ((codes[(pair * 64) + 32 + i] & 15) << 4)));
            }
        }
    }

    private static void EncodeQ6K(ReadOnlySpan<float> x, Span<float> decoded, BinaryWriter writer)
    {
        var scales = new float[16];
        for (var group = 0; group < 16; group++)
        {
            scales[group] = SignedLargest(x.Slice(group * 16, 16)) / -32;
        }

        var d = (Half)(scales.Max(Math.Abs) / 127);
        var scaleCodes = new sbyte[16];
        var codes = new int[256];
        for (var i = 0; i < 256; i++)
        {
            scaleCodes[i / 16] = (sbyte)Nearest(scales[i / 16], (float)d, -127, 127);
            var scale = (float)d * scaleCodes[i / 16];
            codes[i] = Nearest(x[i], scale, -32, 31) + 32;
            decoded[i] = scale * (codes[i] - 32);
        }

        foreach (var first in new[] { 0, 128 })
        {
            for (var i = 0; i < 64; i++)
            {
                writer.Write((byte)((codes[first + i] & 15) | ((codes[first + 64 + i] & 15) << 4)));
            }
        }

        foreach (var first in new[] { 0, 128 })
        {
            for (var i = 0; i < 32; i++)
            {
                writer.Write((byte)(
                    (codes[first + i] >> 4) | (codes[first + 32 + i] >> 4 << 2) | (codes[first + 64 + i] >> 4 << 4)
                    | (codes[first + 96 + i] >> 4 << 6)));
            }
        }

        writer.Write(MemoryMarshal.AsBytes(scaleCodes.AsSpan()));
        writer.Write(d);
    }

    private static int Nearest(float value, float scale, int least, int most) =>
        scale == 0 ? Math.Clamp(0, least, most) : (int)Math.Clamp(MathF.Round(value / scale), least, most);

    private static float Largest(ReadOnlySpan<float> x) => Math.Abs(SignedLargest(x));

    private static float SignedLargest(ReadOnlySpan<float> x)
    {
        var largest = 0f;
        foreach (var value in x)
        {
            largest = Math.Abs(value) > Math.Abs(largest) ? value : largest;
        }

        return largest;
    }

    private static float Lowest(ReadOnlySpan<float> x)
    {
        var lowest = x[0];
        foreach (var value in x)
        {
            lowest = Math.Min(lowest, value);
        }

        return lowest;
    }

    private static float Highest(ReadOnlySpan<float> x)
    {
        var highest = x[0];
        foreach (var value in x)
        {
            highest = Math.Max(highest, value);
        }

        return highest;
    }
}
