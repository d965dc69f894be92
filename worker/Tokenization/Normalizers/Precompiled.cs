using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>Precompiled</c>: SentencePiece's own normalization, a table from character sequences to replacements.
/// <code>[ u32: bytes of trie ][ trie: u32 units of a double array ][ replacements, each ended by a 0 byte ]</code>
/// The trie is the double array of darts-clone (Yata): the unit of a child is at its parent's offset exclusive-or the label.</summary>
internal sealed class Precompiled : INormalizer
{
    // The reference implementation looks up short grapheme clusters as a whole and longer ones character by character.
    private const int MaxClusterBytes = 6;

    private readonly uint[] _units;
    private readonly byte[] _replacements;

    private Precompiled(uint[] units, byte[] replacements) => (_units, _replacements) = (units, replacements);

    /// <param name="part">Has <c>precompiled_charsmap</c> in Base64.</param>
    public static INormalizer Read(JsonPart part)
    {
        byte[] map;
        try
        {
            map = Convert.FromBase64String(part.RequiredString("precompiled_charsmap"));
        }
        catch (FormatException e) when (e is not TokenizerFormatException)
        {
            throw part.Error("'precompiled_charsmap' is not valid Base64", e);
        }
        var trieBytes = map.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(map) : 0;
        if (trieBytes is 0 || trieBytes % 4 != 0 || trieBytes > map.Length - 4)
        {
            throw part.Error($"'precompiled_charsmap' of {map.Length} bytes claims a trie of {trieBytes}");
        }
        var units = new uint[trieBytes / 4];
        for (var i = 0; i < units.Length; i++)
        {
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(map.AsSpan(4 + (4 * i)));
        }
        return new Precompiled(units, map[(4 + (int)trieBytes)..]);
    }

    public string Normalize(string text)
    {
        StringBuilder result = new(text.Length);
        for (var at = 0; at < text.Length;)
        {
            var length = StringInfo.GetNextTextElementLength(text, at);
            var cluster = text.AsSpan(at, length);
            at += length;
            if (Encoding.UTF8.GetByteCount(cluster) < MaxClusterBytes && TryReplace(cluster, result))
            {
                continue;
            }
            while (!cluster.IsEmpty)
            {
                Rune.DecodeFromUtf16(cluster, out _, out var width);
                if (!TryReplace(cluster[..width], result))
                {
                    result.Append(cluster[..width]);
                }
                cluster = cluster[width..];
            }
        }
        return result.ToString();
    }

    // The shortest entry that the characters begin with stands for all of them, as in the reference implementation.
    private bool TryReplace(ReadOnlySpan<char> characters, StringBuilder result)
    {
        Span<byte> utf8 = stackalloc byte[MaxClusterBytes];
        var count = Encoding.UTF8.GetBytes(characters, utf8);
        var position = Offset(_units[0]);
        foreach (var label in utf8[..count])
        {
            position ^= label;
            if (label == 0 || position >= _units.Length)
            {
                return false;
            }
            var unit = _units[position];
            if ((unit & 0x800000FF) != label)
            {
                return false;
            }
            position ^= Offset(unit);
            if ((unit >> 8 & 1) != 0)
            {
                return position < _units.Length && Append(_units[position] & 0x7FFFFFFF, result);
            }
        }
        return false;
    }

    private bool Append(uint start, StringBuilder result)
    {
        if (start >= _replacements.Length)
        {
            return false;
        }
        ReadOnlySpan<byte> rest = _replacements.AsSpan((int)start);
        var end = rest.IndexOf((byte)0);
        result.Append(Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]));
        return true;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);
}
