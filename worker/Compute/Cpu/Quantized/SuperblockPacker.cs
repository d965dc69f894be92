using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How <see cref="SuperblockMatrix"/> lies in <see cref="QuantizedPanels"/>, in the order of <see cref="Segments"/>;
/// <see cref="SuperblockCodes{TBits}"/> takes it out.</summary>
/// <remarks>
/// Panels of width 2; each cell is a word of an output. A unit is one word of high bits and the low ones that go with it; at 4 bits a word:
/// <code>
/// table   superblock 0, words 0-3 (4) of its head: n0│n1│n0│n1│…  superblock 1: …
/// codes   low four bits of k0-k7: n0│n1│k8-k15: n0│n1│ (5 bits: k16-k23, k24-k31) high bits of all of them: n0│n1│ next unit: …
/// high    k0│k1│k2│k3│k8│k9│ … in the lower half of the word, k4│k5│k6│k7│k12│ … in the upper
/// </code>
/// </remarks>
internal static unsafe class SuperblockPacker
{
    /// <summary>Inputs of a unit.</summary>
    public static int UnitOf(int bits) => bits switch
    {
        4 => 8,
        5 => 32,
        _ => 16,
    };

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
            PackRow(row, part.Bits, target.Segments!, codes + i, panelWidth);
        }
    }

    private static void PackRow(ReadOnlySpan<byte> row, int bits, Segments segments, uint* codes, int panelWidth)
    {
        const int PerWord = PackedNibbles.PerWord, PerHalf = PerWord / 2;
        var unitPlaces = UnitOf(bits);
        var (highBits, lowWords) = (bits - 4, unitPlaces / PerWord);
        for (var place = 0; place < segments.Length; place++)
        {
            var input = segments.InputAt(place, row.Length);
            if (input < 0)
            {
                continue;
            }

            var (unit, inUnit) = Math.DivRem(place, unitPlaces);
            var (word, inWord) = Math.DivRem(inUnit, PerWord);
            var words = codes + (long)unit * (lowWords + (highBits > 0 ? 1 : 0)) * panelWidth;
            words[word * panelWidth] |= (uint)(row[input] & 15) << (inWord * 4);
            if (highBits > 0)
            {
                var bit = inWord / PerHalf * 16 + (word * PerHalf + inWord % PerHalf) * highBits;
                words[lowWords * panelWidth] |= (uint)(row[input] >> 4) << bit;
            }
        }
    }
}
