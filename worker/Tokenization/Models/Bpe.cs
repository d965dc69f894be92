using System.Buffers;
using System.Text;

namespace Cluster.Worker.Tokenization.Models;

/// <summary><c>BPE</c>: a word starts as its characters and pairs are joined by <see cref="MergeLoop"/>. Byte-level BPE is this model
/// over text the <c>ByteLevel</c> pre-tokenizer spelled out.</summary>
internal sealed class Bpe : IModel
{
    private const int StackSymbols = 128;
    private const int CachedWords = 1 << 14;

    private readonly Vocabulary _vocabulary;
    private readonly Merges _merges;
    private readonly UnknownCharacters _unknown;
    private readonly bool _ignoreMerges;
    private readonly SubwordAffixes _affixes;
    private readonly WordCache _cache = new(CachedWords);

    /// <param name="ignoreMerges">A word that is a token as a whole is not merged up from its characters.</param>
    public Bpe(Vocabulary vocabulary, Merges merges, UnknownCharacters unknown, bool ignoreMerges, SubwordAffixes affixes)
    {
        _vocabulary = vocabulary;
        _merges = merges;
        _unknown = unknown;
        _ignoreMerges = ignoreMerges;
        _affixes = affixes;
    }

    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (_ignoreMerges && _vocabulary.TryGetId(word, out var whole))
        {
            ids.Add(whole);
        }
        else if (_cache.TryGet(word, out var cached))
        {
            ids.AddRange(cached);
        }
        else
        {
            EncodeNew(word, ids);
        }
    }

    private void EncodeNew(ReadOnlySpan<char> word, List<int> ids)
    {
        // One character is at most four fallback bytes, and takes as many UTF-8 bytes.
        var capacity = Encoding.UTF8.GetMaxByteCount(word.Length);
        var rented = capacity > StackSymbols ? ArrayPool<int>.Shared.Rent(capacity) : null;
        var symbols = rented ?? stackalloc int[StackSymbols];
        var count = ToSymbols(word, symbols);
        count = MergeLoop.Run(symbols[..count], _merges);
        ids.AddRange(symbols[..count]);
        if (word.Length <= WordCache.MaxWordLength)
        {
            _cache.Add(word, symbols[..count].ToArray());
        }
        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    private int ToSymbols(ReadOnlySpan<char> word, Span<int> symbols)
    {
        var count = 0;
        var afterUnknown = false;
        Span<char> marked = stackalloc char[(2 * SubwordAffixes.MaxLength) + 2];
        for (var at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out _, out var width);
            var character = word.Slice(at, width);
            at += width;
            var spelled = _affixes.IsNone ? character : Mark(character, first: at == width, last: at == word.Length, marked);
            if (_vocabulary.TryGetId(spelled, out var id))
            {
                symbols[count++] = id;
                afterUnknown = false;
            }
            else
            {
                count += _unknown.Encode(character, symbols[count..], ref afterUnknown);
            }
        }
        return count;
    }

    private ReadOnlySpan<char> Mark(ReadOnlySpan<char> character, bool first, bool last, Span<char> target)
    {
        var length = 0;
        if (!first)
        {
            _affixes.Prefix.CopyTo(target);
            length = _affixes.Prefix.Length;
        }
        character.CopyTo(target[length..]);
        length += character.Length;
        if (last)
        {
            _affixes.Suffix.CopyTo(target[length..]);
            length += _affixes.Suffix.Length;
        }
        return target[..length];
    }
}
