using System.Runtime.InteropServices;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Quantization;

/// <summary>Reads 32-bit words of codes out of checkpoint tensors.</summary>
internal static class PackedWords
{
    /// <summary>A word of an I32 matrix; works at any alignment.</summary>
    public static uint Word(this HostTensor tensor, int row, int column) =>
        MemoryMarshal.Read<uint>(tensor.Row(row)[(column * sizeof(uint))..]);

    /// <summary>A code where a word has consecutive rows of one column, the first in the low bits.</summary>
    public static int Code(HostTensor words, int bits, int row, int column)
    {
        var perWord = 32 / bits;
        return (int)(words.Word(row / perWord, column) >> (bits * (row % perWord))) & ((1 << bits) - 1);
    }

    /// <summary>Codes of input <paramref name="k"/> where a word has consecutive inputs of one output, the first in the low bits: <c>[out,
    /// in · bits / 32]</c>.</summary>
    public static void ReadAlongRows(HostTensor words, int bits, int k, int firstOutput, Span<byte> destination)
    {
        // Bytes of a word ascend as its bits do.
        var bit = bits * k;
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (byte)((words.Row(firstOutput + i)[bit / 8] >> (bit % 8)) & ((1 << bits) - 1));
        }
    }

    /// <summary>Codes of input <paramref name="k"/> where a word has consecutive inputs of one output, the first in the low bits: <c>[in ·
    /// bits / 32, out]</c>.</summary>
    public static void ReadAlongInputs(HostTensor words, int bits, int k, int firstOutput, Span<byte> destination)
    {
        var perWord = 32 / bits;
        var shift = bits * (k % perWord);
        var mask = (1u << bits) - 1;
        var row = words.Row(k / perWord).Slice(firstOutput * sizeof(uint), destination.Length * sizeof(uint));
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (byte)((MemoryMarshal.Read<uint>(row[(i * sizeof(uint))..]) >> shift) & mask);
        }
    }
}
