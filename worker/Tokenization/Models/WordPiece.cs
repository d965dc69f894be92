namespace Cluster.Worker.Tokenization.Models;

/// <summary><c>WordPiece</c>: of a word the longest token it begins with, then the longest that goes on from there, and so forth; a word
/// that this does not cut up to its end is one unknown token (Wu et al. 2016, arXiv:1609.08144, as BERT has it). A word's length and
/// thereby its cost is bounded.</summary>
internal sealed class WordPiece : IModel
{
    /// <summary>BERT's own limit is 100 characters.</summary>
    public const int MaxWordLimit = 4096;

    private readonly VocabularyTrie _starts;
    private readonly VocabularyTrie _continuations;
    private readonly int[] _startIds;
    private readonly int[] _continuationIds;
    private readonly int _unknownId;
    private readonly int _maxWordLength;

    /// <param name="prefix">What the tokens within a word begin with, <c>##</c>.</param>
    /// <param name="maxWordLength">Code points; longer words are unknown.</param>
    public WordPiece(Vocabulary vocabulary, int unknownId, string prefix, int maxWordLength)
    {
        _unknownId = unknownId;
        _maxWordLength = maxWordLength;
        // A token with the prefix also stands for itself at a word's start.
        (_starts, _startIds) = TrieOf(vocabulary.Ids);
        (_continuations, _continuationIds) = TrieOf(
            vocabulary.Ids.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal))
                .Select(entry => KeyValuePair.Create(entry.Key[prefix.Length..], entry.Value)));
    }

    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        var first = ids.Count;
        if (IsTooLong(word))
        {
            ids.Add(_unknownId);
            return;
        }
        for (var at = 0; at < word.Length;)
        {
            var (trie, tokens) = at == 0 ? (_starts, _startIds) : (_continuations, _continuationIds);
            var length = trie.LongestAt(word[at..], out var token);
            if (length == 0)
            {
                ids.RemoveRange(first, ids.Count - first);
                ids.Add(_unknownId);
                return;
            }
            ids.Add(tokens[token]);
            at += length;
        }
    }

    private bool IsTooLong(ReadOnlySpan<char> word)
    {
        if (word.Length <= _maxWordLength)
        {
            return false;
        }
        var count = 0;
        foreach (var _ in word.EnumerateRunes())
        {
            if (++count > _maxWordLength)
            {
                return true;
            }
        }
        return false;
    }

    private static (VocabularyTrie Trie, int[] Ids) TrieOf(IEnumerable<KeyValuePair<string, int>> tokens)
    {
        KeyValuePair<string, int>[] all = [.. tokens];
        return (new VocabularyTrie([.. all.Select(entry => entry.Key)]), [.. all.Select(entry => entry.Value)]);
    }
}
