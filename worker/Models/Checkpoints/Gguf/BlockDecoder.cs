using System.Runtime.InteropServices;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Turns blocks into the floats they stand for: <see cref="GroupBlocks"/> and <see cref="SuperblockLayout"/> show where in a
/// block what is. For tables of embeddings; layers are decoded where they are multiplied.</summary>
internal static class BlockDecoder
{
    /// <param name="blocks">Whole ones.</param>
    /// <param name="values">As many as the blocks have.</param>
    public static void Decode(GgufType type, ReadOnlySpan<byte> blocks, Span<float> values)
    {
        var (size, bytes) = (type.BlockSize(), type.BlockBytes());
        for (var block = 0; block < values.Length / size; block++)
        {
            var source = blocks.Slice(block * bytes, bytes);
            var target = values.Slice(block * size, size);
            if (size == GroupBlocks.BlockSize)
            {
                DecodeGroup(type, source, target);
            }
            else
            {
                DecodeSuperblock(SuperblockLayout.BitsOf(type), source, target);
            }
        }
    }

    private static void DecodeGroup(GgufType type, ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = (float)MemoryMarshal.Read<Half>(block);
        var codes = block[2..];
        var half = values.Length / 2;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = scale * (type == GgufType.Q8_0 ? (sbyte)codes[i] : (codes[i % half] >> (i / half * 4) & 15) - 8);
        }
    }

    private static void DecodeSuperblock(int bits, ReadOnlySpan<byte> block, Span<float> values)
    {
        var size = values.Length / Compute.Quantized.SuperblockMatrix.GroupsOf(bits);
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (SuperblockLayout.Scale(block, bits, i / size) * SuperblockLayout.Code(block, bits, i))
                - SuperblockLayout.Minimum(block, bits, i / size);
        }
    }
}
