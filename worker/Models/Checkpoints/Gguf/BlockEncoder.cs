using System.Runtime.InteropServices;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Rounds floats to the types of a GGUF file that it can write: those without blocks, and those that
/// <see cref="GroupBlocks"/> shows, by ggml's own rule (<c>quantize_row_q8_0_ref</c>, <c>quantize_row_q4_0_ref</c>).</summary>
internal static class BlockEncoder
{
    public static readonly GgufType[] Types = [GgufType.F32, GgufType.F16, GgufType.BF16, GgufType.Q8_0, GgufType.Q4_0];

    /// <param name="values">Whole blocks.</param>
    /// <param name="bytes">As many as they take.</param>
    public static void Encode(GgufType type, ReadOnlySpan<float> values, Span<byte> bytes)
    {
        switch (type)
        {
            case GgufType.F32:
                MemoryMarshal.AsBytes(values).CopyTo(bytes);
                break;
            case GgufType.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(bytes);
                for (var i = 0; i < values.Length; i++)
                {
                    halves[i] = (Half)values[i];
                }

                break;
            case GgufType.BF16:
                var bits = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (var i = 0; i < values.Length; i++)
                {
                    bits[i] = Config.BFloat16.Bits(values[i]);
                }

                break;
            case GgufType.Q8_0 or GgufType.Q4_0:
                for (var block = 0; block < values.Length / GroupBlocks.BlockSize; block++)
                {
                    var from = values.Slice(block * GroupBlocks.BlockSize, GroupBlocks.BlockSize);
                    var to = bytes.Slice(block * type.BlockBytes(), type.BlockBytes());
                    if (type == GgufType.Q8_0)
                    {
                        EncodeBytes(from, to);
                    }
                    else
                    {
                        EncodeHalfBytes(from, to);
                    }
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, $"supported: {string.Join(", ", Types)}");
        }
    }

    private static void EncodeBytes(ReadOnlySpan<float> values, Span<byte> block)
    {
        float largest = 0;
        foreach (var value in values)
        {
            largest = MathF.Max(largest, MathF.Abs(value));
        }

        var scale = largest / 127;
        var inverse = scale == 0 ? 0 : 1 / scale;
        MemoryMarshal.Write(block, (Half)scale);
        for (var i = 0; i < values.Length; i++)
        {
            block[2 + i] = (byte)(sbyte)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
        }
    }

    private static void EncodeHalfBytes(ReadOnlySpan<float> values, Span<byte> block)
    {
        // The largest magnitude gets the code 0, which stands for −8: no positive code is as far from the middle.
        float furthest = 0;
        foreach (var value in values)
        {
            furthest = MathF.Abs(value) > MathF.Abs(furthest) ? value : furthest;
        }

        var scale = furthest / -8;
        var inverse = scale == 0 ? 0 : 1 / scale;
        MemoryMarshal.Write(block, (Half)scale);
        var half = values.Length / 2;
        for (var i = 0; i < half; i++)
        {
            block[2 + i] = (byte)(Code(values[i]) | (Code(values[half + i]) << 4));
        }

        int Code(float value) => Math.Min(15, (int)((value * inverse) + 8.5f));
    }
}
