using System.Text;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization.SentencePiece;

/// <summary>SentencePiece's own normalization (normalizer.cc): characters by the model's map, of the entries that fit the longest; spaces
/// at the ends and repeated ones away; a space before the text; spaces written ▁. A pre-tokenizer, for it has to know whether a piece
/// starts the text.</summary>
/// <param name="map">Null for the identity.</param>
/// <param name="userDefined">Pieces that the map leaves alone.</param>
/// <param name="prepend">Which pieces of text get a space before them.</param>
internal sealed class SentencePieceNormalizer(
    SentencePieceModel model, CharsMap? map, VocabularyTrie userDefined, PrependScheme prepend) : IPreTokenizer
{
    public const char Escaped = '▁';

    // A map can replace a character by any number of them.
    private const int MaxLength = 1 << 26;

    private readonly char _space = model.EscapeWhitespaces ? Escaped : ' ';

    /// <exception cref="TokenizationException">The text would grow beyond all measure.</exception>
    public List<Piece> Split(List<Piece> pieces)
    {
        List<Piece> result = new(pieces.Count);
        foreach (var piece in pieces)
        {
            var prefix = prepend == PrependScheme.Always || (prepend == PrependScheme.First && piece.StartsText);
            var text = Normalize(piece.Span, prefix);
            if (text.Length > 0)
            {
                result.Add(new Piece(text, 0, text.Length, piece.StartsText));
            }
        }
        return result;
    }

    private string Normalize(ReadOnlySpan<char> text, bool prefix)
    {
        var removes = model.RemoveExtraWhitespaces;
        if (map is null && !removes)
        {
            var whole = prefix ? string.Concat(" ", text) : text.ToString();
            return model.EscapeWhitespaces ? whole.Replace(' ', Escaped) : whole;
        }
        var at = 0;
        while (removes && at < text.Length && IsSpace(text[at..], out var width))
        {
            at += width;
        }
        if (at == text.Length)
        {
            return "";
        }
        StringBuilder result = new(text.Length + 1);
        if (prefix)
        {
            result.Append(_space);
        }
        for (var afterSpace = removes; at < text.Length;)
        {
            at += Rewrite(text[at..], result, ref afterSpace);
            afterSpace &= removes;
            if (result.Length > MaxLength)
            {
                throw new TokenizationException(
                    $"the tokenizer's normalization makes a text of {text.Length} characters longer than {MaxLength}; at most that many "
                    + "are encoded");
            }
        }
        var end = result.Length;
        while (removes && end > 0 && result[end - 1] == _space)
        {
            end--;
        }
        return result.ToString(0, end);
    }

    /// <summary>Appends what the first characters of a text become.</summary>
    /// <param name="afterSpace">Whether spaces are to be left out; gets whether what was appended ends in one.</param>
    /// <returns>How many UTF-16 units they are.</returns>
    private int Rewrite(ReadOnlySpan<char> text, StringBuilder result, ref bool afterSpace)
    {
        var taken = userDefined.LongestAt(text);
        if (taken == 0 && map is not null && map.FindLongest(text, out var replacement) is var replaced and > 0)
        {
            var utf16 = replacement.Length <= 256 ? stackalloc char[replacement.Length] : new char[replacement.Length];
            Append(utf16[..Encoding.UTF8.GetChars(replacement, utf16)], result, ref afterSpace);
            return replaced;
        }
        if (taken == 0)
        {
            Rune.DecodeFromUtf16(text, out _, out taken);
        }
        Append(text[..taken], result, ref afterSpace);
        return taken;
    }

    private void Append(ReadOnlySpan<char> text, StringBuilder result, ref bool afterSpace)
    {
        if (afterSpace)
        {
            text = text.TrimStart(' ');
        }
        if (text.IsEmpty)
        {
            return;
        }
        foreach (var c in text)
        {
            result.Append(c == ' ' ? _space : c);
        }
        afterSpace = text[^1] == ' ';
    }

    private bool IsSpace(ReadOnlySpan<char> text, out int width)
    {
        width = userDefined.LongestAt(text);
        if (width > 0)
        {
            return text[..width] is " ";
        }
        if (map is not null && map.FindLongest(text, out var replacement) is var replaced and > 0)
        {
            width = replaced;
            return replacement.SequenceEqual(" "u8);
        }
        width = 1;
        return text[0] == ' ';
    }
}
