using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Where in a block of 256 weights its numbers are: <c>Q4_K</c>, <c>Q5_K</c> and <c>Q6_K</c> of ggml's
/// <c>ggml-quants.c</c>.</summary>
/// <remarks>
/// <code>
/// Q4_K  144 bytes   f16 d │ f16 dmin │ 12 bytes of scales and minima │ 128 bytes of low bits
/// Q5_K  176         f16 d │ f16 dmin │ 12                            │ 32 bytes of high bits │ 128 of low bits
/// Q6_K  210         128 bytes of low bits │ 64 of high bits │ 16 signed scales │ f16 d
///
/// scales and minima   six bits each: byte j has scale j, byte 4 + j minimum j, of j below 4; in their upper two bits are those of
///                     scale and minimum 4 + j, whose lower four are the halves of byte 8 + j
/// low bits            Q4_K, Q5_K   64 weights in 32 bytes: the first 32 in the low halves, the others in the high
///                     Q6_K         128 weights in 64 bytes: the first 64 in the low halves, the others in the high
/// high bits           Q5_K         byte k mod 32, bit k / 32
///                     Q6_K         128 weights in 32 bytes: byte k mod 32, bits 2 · (k / 32 mod 4) and the next
/// </code>
/// </remarks>
internal static class SuperblockLayout
{
    private const int ScaleBytes = 12;
    private const int Q5High = 4 + ScaleBytes;
    private const int Q6High = 128;
    private const int Q6Scales = 192;
    private const int Q6D = 208;

    public static int BitsOf(GgufType type) => type switch
    {
        GgufType.Q4_K => 4,
        GgufType.Q5_K => 5,
        _ => 6,
    };

    /// <summary>Bytes where its F16 begin.</summary>
    public static ReadOnlySpan<int> ScalePlaces(int bits) => bits == 6 ? [Q6D] : [0, 2];

    public static byte Code(ReadOnlySpan<byte> block, int bits, int k)
    {
        if (bits == 6)
        {
            var (half, place) = Math.DivRem(k, 128);
            var low = block[(64 * half) + (place % 64)] >> (place / 64 * 4) & 15;
            var high = block[Q6High + (32 * half) + (place % 32)] >> (place / 32 * 2) & 3;
            return (byte)(low | high << 4);
        }

        var firstLow = block.Length - 128;
        var code = block[firstLow + (k / 64 * 32) + (k % 32)] >> (k / 32 % 2 * 4) & 15;
        return (byte)(bits == 4 ? code : code | (block[Q5High + (k % 32)] >> (k / 32) & 1) << 4);
    }

    public static float Scale(ReadOnlySpan<byte> block, int bits, int group) => bits == 6
        ? HalfAt(block, Q6D) * (sbyte)block[Q6Scales + group]
        : HalfAt(block, 0) * SixBits(block, group, isMinimum: false);

    public static float Minimum(ReadOnlySpan<byte> block, int bits, int group) => bits == 6
        ? Scale(block, bits, group) * SuperblockMatrix.SixBitsZero
        : HalfAt(block, 2) * SixBits(block, group, isMinimum: true);

    /// <summary>See <see cref="SuperblockMatrix"/>.</summary>
    public static void ReadHead(ReadOnlySpan<byte> block, int bits, Span<uint> words)
    {
        words.Clear();
        if (bits == 6)
        {
            words[0] = BinaryPrimitives.ReadUInt16LittleEndian(block[Q6D..]);
            for (var group = 0; group < 16; group++)
            {
                words[1 + (group / 4)] |= (uint)(block[Q6Scales + group] ^ 0x80) << (group % 4 * 8);
            }

            return;
        }

        words[0] = BinaryPrimitives.ReadUInt32LittleEndian(block);
        for (var group = 0; group < 8; group++)
        {
            uint scale = SixBits(block, group, isMinimum: false), minimum = SixBits(block, group, isMinimum: true);
            words[1] |= (scale & 15) << (4 * group);
            words[2] |= (minimum & 15) << (4 * group);
            words[3] |= scale >> 4 << (2 * group) | minimum >> 4 << (16 + (2 * group));
        }
    }

    private static byte SixBits(ReadOnlySpan<byte> block, int group, bool isMinimum)
    {
        var packed = block.Slice(4, ScaleBytes);
        var own = isMinimum ? 4 : 0;
        return (byte)(group < 4
            ? packed[own + group] & 63
            : packed[4 + group] >> own & 15 | packed[own + group - 4] >> 6 << 4);
    }

    private static float HalfAt(ReadOnlySpan<byte> block, int place) => (float)MemoryMarshal.Read<Half>(block[place..]);
}
