using System.Buffers;
using System.Text;
using Cluster.Worker.Tokenization.Models;

namespace Cluster.Worker.Tokenization.SentencePiece;

/// <summary>SentencePiece's BPE (bpe_model.cc): of the neighbours that together are a piece, those of the highest score join, the leftmost
/// among equals. User-defined pieces are cut out first and join nothing; what joins to an unused piece is taken apart again.
/// <code>
/// symbols   id             a piece
///           2²³ + rune     a character that is no piece, though it may be a part of some
///           2²⁵ + id       a user-defined piece found in the text
/// </code></summary>
internal sealed class SentencePieceBpe : IModel
{
    private const int Character = 1 << 23;
    private const int UserDefined = 1 << 25;

    private readonly Vocabulary _joinable;
    private readonly VocabularyTrie _userDefined;
    private readonly Merges _merges;
    private readonly int _unknownId;
    private readonly int[]? _byteIds;
    private readonly IReadOnlyList<VocabularyPiece> _pieces;

    /// <param name="file">For messages.</param>
    /// <param name="userDefined">Spelled by id.</param>
    /// <param name="byteIds">Id of each byte's piece; null without byte fallback.</param>
    public SentencePieceBpe(
        string file, IReadOnlyList<VocabularyPiece> pieces, VocabularyTrie userDefined, int unknownId, int[]? byteIds)
    {
        _pieces = pieces;
        _userDefined = userDefined;
        _unknownId = unknownId;
        _byteIds = byteIds;
        var joinable = pieces.Select((piece, id) => (piece, id))
            .Where(entry => entry.piece.Type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused).ToArray();
        _joinable = new Vocabulary(joinable.ToDictionary(entry => entry.piece.Text, entry => entry.id, StringComparer.Ordinal));
        var ranks = joinable.Select(entry => entry.piece.Score).Distinct().OrderDescending()
            .Select((score, rank) => (score, rank)).ToDictionary();
        KeyValuePair<string, Merges.Merge>[] tokens =
        [
            .. joinable.Select(entry => KeyValuePair.Create(entry.piece.Text, new Merges.Merge(ranks[entry.piece.Score], entry.id))),
        ];
        _merges = Merges.OfTokens(file, tokens, TryGetSymbol);
    }

    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        var symbols = ArrayPool<int>.Shared.Rent(word.Length);
        try
        {
            var count = MergeLoop.Run(symbols.AsSpan(0, ToSymbols(word, symbols)), _merges);
            var afterUnknown = false;
            Write(symbols.AsSpan(0, count), ids, ref afterUnknown);
        }
        finally
        {
            ArrayPool<int>.Shared.Return(symbols);
        }
    }

    private int ToSymbols(ReadOnlySpan<char> text, Span<int> symbols)
    {
        var count = 0;
        for (var at = 0; at < text.Length;)
        {
            if (_userDefined.LongestAt(text[at..], out var id) is var length and > 0)
            {
                symbols[count++] = UserDefined + id;
                at += length;
                continue;
            }
            Rune.DecodeFromUtf16(text[at..], out var rune, out var width);
            symbols[count++] = _joinable.TryGetId(text.Slice(at, width), out var piece) ? piece : Character + rune.Value;
            at += width;
        }
        return count;
    }

    private void Write(ReadOnlySpan<int> symbols, List<int> ids, ref bool afterUnknown)
    {
        foreach (var symbol in symbols)
        {
            if (symbol is >= Character and < UserDefined)
            {
                WriteUnknown(new Rune(symbol - Character), ids, ref afterUnknown);
            }
            else if (symbol < Character && _pieces[symbol].Type == PieceType.Unused && Apart(symbol) is { Length: > 1 } parts)
            {
                Write(parts, ids, ref afterUnknown);
            }
            else
            {
                ids.Add(symbol >= UserDefined ? symbol - UserDefined : symbol);
                afterUnknown = false;
            }
        }
    }

    /// <summary>What a piece's text becomes where it cannot be the last to be joined.</summary>
    private int[] Apart(int id)
    {
        var symbols = new int[_pieces[id].Text.Length];
        var count = ToSymbols(_pieces[id].Text, symbols);
        return symbols[..MergeLoop.RunByScan(symbols.AsSpan(0, count), _merges, except: id)];
    }

    // Neighbouring unknown characters are one unknown piece.
    private void WriteUnknown(Rune character, List<int> ids, ref bool afterUnknown)
    {
        if (_byteIds is not null)
        {
            Span<byte> utf8 = stackalloc byte[4];
            foreach (var value in utf8[..character.EncodeToUtf8(utf8)])
            {
                ids.Add(_byteIds[value]);
            }
        }
        else if (!afterUnknown)
        {
            ids.Add(_unknownId);
        }
        afterUnknown = true;
    }

    private bool TryGetSymbol(ReadOnlySpan<char> text, out int symbol)
    {
        if (_joinable.TryGetId(text, out symbol))
        {
            return true;
        }
        Rune.DecodeFromUtf16(text, out var rune, out var width);
        symbol = Character + rune.Value;
        return width == text.Length;
    }
}
