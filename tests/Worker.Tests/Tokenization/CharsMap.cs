using System.Buffers.Binary;
using System.Text;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>A SentencePiece character map with one entry, laid out by hand: the ligature ﬁ (bytes EF AC 81) becomes "fi".</summary>
internal static class CharsMap
{
    // Offsets are a power of two apart, so that offset ^ label never meets another node's.
    private const int RootOffset = 0x100, FirstOffset = 0x200, SecondOffset = 0x300, LeafOffset = 0x400;

    private const uint HasLeaf = 1 << 8;

    public static string LigatureFi { get; } = Convert.ToBase64String(Build());

    private static byte[] Build()
    {
        var units = new uint[0x500];
        units[0] = RootOffset << 10;
        var first = RootOffset ^ 0xEF;
        units[first] = ((uint)(first ^ FirstOffset) << 10) | 0xEF;
        var second = FirstOffset ^ 0xAC;
        units[second] = ((uint)(second ^ SecondOffset) << 10) | 0xAC;
        var third = SecondOffset ^ 0x81;
        units[third] = ((uint)(third ^ LeafOffset) << 10) | HasLeaf | 0x81;
        units[LeafOffset] = 0x8000_0000;
        var replacements = Encoding.UTF8.GetBytes("fi\0");
        var map = new byte[4 + (4 * units.Length) + replacements.Length];
        BinaryPrimitives.WriteInt32LittleEndian(map, 4 * units.Length);
        for (var i = 0; i < units.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(map.AsSpan(4 + (4 * i)), units[i]);
        }
        replacements.CopyTo(map, 4 + (4 * units.Length));
        return map;
    }
}
