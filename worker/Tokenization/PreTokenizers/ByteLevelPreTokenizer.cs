using System.Text;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary><c>ByteLevel</c>: optionally puts a space before each piece and splits by GPT-2's regex, then writes the UTF-8 bytes of every
/// piece as the characters of <see cref="ByteAlphabet"/>.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : IPreTokenizer
{
    private static readonly Split Gpt2Split = new(new Gpt2Scanner(), SplitBehavior.Isolated, invert: false);

    public List<Piece> Split(List<Piece> pieces)
    {
        if (addPrefixSpace)
        {
            pieces = [.. pieces.Select(AddPrefixSpace)];
        }
        if (useRegex)
        {
            pieces = ((IPreTokenizer)Gpt2Split).Split(pieces);
        }
        return Spell(pieces);
    }

    private static Piece AddPrefixSpace(Piece piece)
    {
        if (piece.Span.StartsWith(' '))
        {
            return piece;
        }
        var text = string.Concat(" ", piece.Span);
        return new Piece(text, 0, text.Length, piece.StartsText);
    }

    // All pieces share one spelled-out string, so a million words cost one allocation.
    private static List<Piece> Spell(List<Piece> pieces)
    {
        var bytes = 0;
        foreach (var piece in pieces)
        {
            bytes += Encoding.UTF8.GetByteCount(piece.Span);
        }
        List<Piece> result = new(pieces.Count);
        var spelled = string.Create(bytes, pieces, (target, source) =>
        {
            Span<byte> utf8 = stackalloc byte[4];
            var at = 0;
            foreach (var piece in source)
            {
                foreach (var rune in piece.Span.EnumerateRunes())
                {
                    var width = rune.EncodeToUtf8(utf8);
                    for (var i = 0; i < width; i++)
                    {
                        target[at++] = ByteAlphabet.ToChar(utf8[i]);
                    }
                }
            }
        });
        var start = 0;
        foreach (var piece in pieces)
        {
            var length = Encoding.UTF8.GetByteCount(piece.Span);
            result.Add(new Piece(spelled, start, length, piece.StartsText));
            start += length;
        }
        return result;
    }
}
