using System.Collections.Immutable;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>What <see cref="SuperblockMatrix"/> has beside the low four bits of its codes, as <see cref="Kernels.SuperblockWeights{TCodes,
/// THeads}"/> reads it. Made by <see cref="WeightPacker"/>.</summary>
/// <remarks>
/// Rows of a word for each output:
/// <code>
/// piece 0 (32 inputs): high bits, in 0, 1 or 2 rows │ piece 1: … │ superblock 0: its head, in 4 or 5 rows │ superblock 1: …
/// </code>
/// </remarks>
internal sealed class SuperblockTables
{
    private const int MostGroups = 16;

    private readonly SuperblockMatrix _first;
    private readonly int _padded;

    /// <param name="parts">All as wide, and with the same groups.</param>
    /// <param name="padded">Outputs, rounded up to whole waves.</param>
    public SuperblockTables(ImmutableArray<QuantizedMatrix> parts, int padded)
    {
        _first = (SuperblockMatrix)parts[0];
        _padded = padded;
        Words = new uint[checked(Rows(_first) * padded)];
        var column = 0;
        foreach (var part in parts.Cast<SuperblockMatrix>())
        {
            var codes = new byte[part.InFeatures];
            for (var output = 0; output < part.OutFeatures; output++)
            {
                part.ReadRow(output, codes);
                WriteHighBits(codes, column);
                WriteHeads(part, output, column);
                column++;
            }
        }
    }

    public uint[] Words { get; }

    /// <summary>Rows of words.</summary>
    public static long Rows(SuperblockMatrix matrix) =>
        FirstHead(matrix) + (long)matrix.Superblocks * SuperblockMatrix.HeadWords(matrix.Bits);

    /// <summary>Of each input, 16 times the row where its superblock's head begins, and its group within that.</summary>
    public int[] Places(int count)
    {
        var places = new int[count];
        var groups = SuperblockMatrix.GroupsOf(_first.Bits);
        for (var k = 0; k < count; k++)
        {
            var group = _first.GroupOf[Math.Min(k, _first.InFeatures - 1)];
            var row = FirstHead(_first) + group / groups * SuperblockMatrix.HeadWords(_first.Bits);
            places[k] = row * MostGroups + group % groups;
        }

        return places;
    }

    private static int FirstHead(SuperblockMatrix matrix) =>
        (matrix.InFeatures + SuperblockMatrix.PieceLength - 1) / SuperblockMatrix.PieceLength * (matrix.Bits - 4);

    private void WriteHighBits(ReadOnlySpan<byte> codes, int column)
    {
        var bits = _first.Bits - 4;
        for (var k = 0; bits > 0 && k < codes.Length; k++)
        {
            var bit = (long)k * bits;
            Words[bit / 32 * _padded + column] |= (uint)(codes[k] >> 4) << (int)(bit % 32);
        }
    }

    private void WriteHeads(SuperblockMatrix part, int output, int column)
    {
        var count = SuperblockMatrix.HeadWords(part.Bits);
        Span<uint> head = stackalloc uint[SuperblockMatrix.MaxHeadWords];
        for (var superblock = 0; superblock < part.Superblocks; superblock++)
        {
            part.ReadHead(superblock, output, head[..count]);
            for (var word = 0; word < count; word++)
            {
                Words[(FirstHead(part) + (long)superblock * count + word) * _padded + column] = head[word];
            }
        }
    }
}
