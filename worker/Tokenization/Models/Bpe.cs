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
    private readonly WordCache _cache = new(CachedWords);

    /// <param name="ignoreMerges">A word that is a token as a whole is not merged up from its characters.</param>
    public Bpe(Vocabulary vocabulary, Merges merges, UnknownCharacters unknown, bool ignoreMerges)
    {
        _vocabulary = vocabulary;
        _merges = merges;
        _unknown = unknown;
        _ignoreMerges = ignoreMerges;
    }

    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (_ignoreMerges && _vocabulary.TryGetId(word, out int whole))
        {
            ids.Add(whole);
        }
        else if (_cache.TryGet(word, out int[] cached))
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
        int capacity = Encoding.UTF8.GetMaxByteCount(word.Length);
        int[]? rented = capacity > StackSymbols ? ArrayPool<int>.Shared.Rent(capacity) : null;
        Span<int> symbols = rented ?? stackalloc int[StackSymbols];
        int count = ToSymbols(word, symbols);
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
        int count = 0;
        bool afterUnknown = false;
        for (int at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out _, out int width);
            ReadOnlySpan<char> character = word.Slice(at, width);
            at += width;
            if (_vocabulary.TryGetId(character, out int id))
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
}
