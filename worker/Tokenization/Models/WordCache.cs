using System.Collections.Concurrent;

namespace Cluster.Worker.Tokenization.Models;

/// <summary>Ids of words met before. Bounded by two generations: when the young one is full it becomes the old one, and what is not asked
/// for again in the meantime is forgotten with it. Safe for concurrent use; a race costs at most a repeated computation.</summary>
internal sealed class WordCache(int wordsPerGeneration)
{
    /// <summary>Longer words are rarely met twice.</summary>
    public const int MaxWordLength = 128;

    private Generation _young = new();
    private Generation _old = new();

    public bool TryGet(ReadOnlySpan<char> word, out int[] ids)
    {
        if (word.Length > MaxWordLength)
        {
            ids = [];
            return false;
        }
        if (_young.BySpan.TryGetValue(word, out ids!))
        {
            return true;
        }
        if (!_old.BySpan.TryGetValue(word, out ids!))
        {
            return false;
        }
        Add(word, ids);
        return true;
    }

    public void Add(ReadOnlySpan<char> word, int[] ids)
    {
        if (word.Length > MaxWordLength)
        {
            return;
        }
        var young = _young;
        if (young.BySpan.TryAdd(word, ids) && Interlocked.Increment(ref young.Count) == wordsPerGeneration)
        {
            _old = young;
            _young = new Generation();
        }
    }

    private sealed class Generation
    {
        public int Count;

        public Generation() =>
            BySpan = new ConcurrentDictionary<string, int[]>(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();

        public ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> BySpan { get; }
    }
}
