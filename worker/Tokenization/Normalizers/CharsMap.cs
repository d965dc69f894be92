using System.Buffers.Binary;
using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary>SentencePiece's table of character sequences and what replaces them. Used by <see cref="Precompiled"/>, which takes the
/// shortest entry, and <see cref="SentencePiece.SentencePieceNormalizer"/>, which takes the longest.
/// <code>[ u32: bytes of trie ][ trie: u32 units of a double array ][ replacements, each ended by a 0 byte ]</code>
/// The trie is the double array of darts-clone (Yata): the unit of a child is at its parent's offset exclusive-or the label.</summary>
internal sealed class CharsMap
{
    // The longest entries published have a few decomposed characters.
    private const int MaxEntryBytes = 256;

    private readonly uint[] _units;
    private readonly byte[] _replacements;

    private CharsMap(uint[] units, byte[] replacements) => (_units, _replacements) = (units, replacements);

    /// <returns>Null where the map is not laid out so.</returns>
    public static CharsMap? Read(ReadOnlySpan<byte> map, out string problem)
    {
        var trieBytes = map.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(map) : 0;
        problem = $"'precompiled_charsmap' of {map.Length} bytes claims a trie of {trieBytes}";
        if (trieBytes is 0 || trieBytes % 4 != 0 || trieBytes > map.Length - 4)
        {
            return null;
        }
        var units = new uint[trieBytes / 4];
        for (var i = 0; i < units.Length; i++)
        {
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(map[(4 + (4 * i))..]);
        }
        return new CharsMap(units, map[(4 + (int)trieBytes)..].ToArray());
    }

    /// <summary>The shortest entry that a few bytes begin with.</summary>
    public bool TryFindShortest(ReadOnlySpan<byte> utf8, out ReadOnlySpan<byte> replacement)
    {
        replacement = [];
        var position = Offset(_units[0]);
        foreach (var label in utf8)
        {
            if (!TryStep(ref position, label, out var hasEntry))
            {
                return false;
            }
            if (hasEntry)
            {
                return TryRead(position, out replacement);
            }
        }
        return false;
    }

    /// <summary>The longest entry that a text begins with.</summary>
    /// <returns>Its length in UTF-16 units; 0 for none.</returns>
    public int FindLongest(ReadOnlySpan<char> text, out ReadOnlySpan<byte> replacement)
    {
        replacement = [];
        var found = 0;
        var position = Offset(_units[0]);
        Span<byte> utf8 = stackalloc byte[4];
        for (int at = 0, bytes = 0; at < text.Length && bytes < MaxEntryBytes;)
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out var width);
            var hasEntry = false;
            foreach (var label in utf8[..rune.EncodeToUtf8(utf8)])
            {
                if (!TryStep(ref position, label, out hasEntry))
                {
                    return found;
                }
                bytes++;
            }
            at += width;
            if (hasEntry && TryRead(position, out var entry))
            {
                found = at;
                replacement = entry;
            }
        }
        return found;
    }

    /// <param name="position">The offset of a node; gets that of its child.</param>
    private bool TryStep(ref uint position, byte label, out bool hasEntry)
    {
        hasEntry = false;
        position ^= label;
        if (label == 0 || position >= _units.Length || (_units[position] & 0x800000FF) != label)
        {
            return false;
        }
        var unit = _units[position];
        position ^= Offset(unit);
        hasEntry = (unit >> 8 & 1) != 0;
        return true;
    }

    private bool TryRead(uint position, out ReadOnlySpan<byte> replacement)
    {
        replacement = [];
        if (position >= _units.Length || (_units[position] & 0x7FFFFFFF) is var start && start >= _replacements.Length)
        {
            return false;
        }
        var rest = _replacements.AsSpan((int)start);
        var end = rest.IndexOf((byte)0);
        replacement = end < 0 ? rest : rest[..end];
        return true;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);
}
