using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How <see cref="SuperblockMatrix"/> lies in <see cref="QuantizedPanels"/>; <see cref="SuperblockCodes{TBits}"/> decodes
/// it, of 4 bits <see cref="NibbleSuperblockCodes"/>, whose words of codes follow each other in the order of
/// <see cref="Segments"/>.</summary>
/// <remarks>
/// Panels of width 2; each cell is a word of an output. 32 inputs take as many words as a code has bits:
/// <code>
/// table   superblock 0, words 0-3 (4) of its head: n0│n1│n0│n1│…  superblock 1: …
/// codes   low four bits of k0-k7: n0│n1│k8-k15: n0│n1│k16-k23: …│k24-k31: …│ high bits, of 32 or 16 k a word: n0│n1│ …  k32-k39: …
/// </code>
/// </remarks>
internal static unsafe class SuperblockPacker
{
    /// <summary>Inputs whose planes lie together.</summary>
    public const int Run = 32;

    /// <summary>Words of low bits of a run.</summary>
    public const int LowWords = 4;

    /// <summary>Words of codes that an output has.</summary>
    public static long WordsOf(int inFeatures, int bits) => (long)(inFeatures + Run - 1) / Run * bits;

    /// <summary>Packs some outputs of one panel, whose words are zero.</summary>
    /// <param name="table">The first one's.</param>
    /// <param name="codes">The first one's.</param>
    public static void Pack(SuperblockMatrix part, int firstOutput, int count, uint* table, uint* codes, QuantizedPanels target)
    {
        var panelWidth = target.PanelWidth;
        var headWords = SuperblockMatrix.HeadWords(part.Bits);
        Span<uint> head = stackalloc uint[SuperblockMatrix.MaxHeadWords];
        head = head[..headWords];
        var row = new byte[part.InFeatures];
        for (var i = 0; i < count; i++)
        {
            for (var superblock = 0; superblock < part.Superblocks; superblock++)
            {
                part.ReadHead(superblock, firstOutput + i, head);
                for (var word = 0; word < headWords; word++)
                {
                    table[((long)superblock * headWords + word) * panelWidth + i] = head[word];
                }
            }

            part.ReadRow(firstOutput + i, row);
            if (target.Segments is { } segments)
            {
                PackSegments(row, segments, codes + i, panelWidth);
                continue;
            }

            PackRow(row, part.Bits, codes + i, panelWidth);
        }
    }

    private static void PackSegments(ReadOnlySpan<byte> row, Segments segments, uint* codes, int panelWidth)
    {
        for (var place = 0; place < segments.Length; place++)
        {
            var input = segments.InputAt(place, row.Length);
            var shift = place % PackedNibbles.PerWord * 4;
            codes[(long)(place / PackedNibbles.PerWord) * panelWidth] |= input < 0 ? 0 : (uint)row[input] << shift;
        }
    }

    private static void PackRow(ReadOnlySpan<byte> row, int bits, uint* codes, int panelWidth)
    {
        var highBits = bits - 4;
        for (var k = 0; k < row.Length; k++)
        {
            var place = k % Run;
            var run = codes + (long)(k / Run) * bits * panelWidth;
            run[place / 8 * panelWidth] |= (uint)(row[k] & 15) << (place % 8 * 4);
            if (highBits > 0)
            {
                var bit = place * highBits;
                run[(LowWords + bit / 32) * panelWidth] |= (uint)(row[k] >> 4) << (bit % 32);
            }
        }
    }
}
