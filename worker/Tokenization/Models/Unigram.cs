using System.Buffers;
using System.Text;

namespace Cluster.Worker.Tokenization.Models;

/// <summary><c>Unigram</c>: of all ways to cut a word into tokens, the one whose scores (logarithms of probability) sum highest, found by
/// Viterbi's algorithm from left to right (Kudo 2018, arXiv:1804.10959). Time is the word's length times the longest token's.</summary>
internal sealed class Unigram : IModel
{
    /// <summary>Bounds the work a character costs; the longest tokens published are runs of a hundred spaces.</summary>
    public const int MaxTokenLength = 1024;

    // The reference implementation's: an unknown character is worse than any token.
    private const double UnknownPenalty = 10;

    private readonly VocabularyTrie _trie;
    private readonly Vocabulary _vocabulary;
    private readonly double[] _scores;
    private readonly int? _unknownId;
    private readonly int[]? _byteIds;

    /// <param name="tokens">Spellings by id.</param>
    /// <param name="scores">By id, same length.</param>
    /// <param name="unknownId">What stands for characters without a token; null makes them an error of the text.</param>
    /// <param name="byteIds">Id of each byte's token, -1 where there is none; null without byte fallback.</param>
    public Unigram(IReadOnlyCollection<string> tokens, double[] scores, Vocabulary vocabulary, int? unknownId, int[]? byteIds)
    {
        _trie = new VocabularyTrie(tokens);
        _scores = scores;
        _vocabulary = vocabulary;
        _unknownId = unknownId;
        UnknownScore = scores.DefaultIfEmpty(0).Min() - UnknownPenalty;
        _byteIds = byteIds;
    }

    /// <summary>What a character without a token counts.</summary>
    public double UnknownScore { get; init; }

    /// <summary>Sums are rounded to float32, as SentencePiece's are and those of Hugging Face tokenizers are not.</summary>
    public bool IsSinglePrecision { get; init; }

    // The best way to reach a position: the last token on it, where that token starts, and the sum of scores.
    private readonly record struct Arrival(double Score, int Start, int Token);

    private const int Unknown = -1;

    /// <exception cref="TokenizationException">A character has no token and the model has no unknown token.</exception>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        var best = ArrayPool<Arrival>.Shared.Rent(word.Length + 1);
        try
        {
            Search(word, best);
            Walk(word, best, ids);
        }
        finally
        {
            ArrayPool<Arrival>.Shared.Return(best);
        }
    }

    private void Search(ReadOnlySpan<char> word, Span<Arrival> best)
    {
        best[..(word.Length + 1)].Fill(new Arrival(double.NegativeInfinity, -1, Unknown));
        best[0] = new Arrival(0, 0, Unknown);
        for (var at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out _, out var width);
            var score = best[at].Score;
            var hasCharacter = false;
            var node = VocabularyTrie.Root;
            for (var end = at; end < word.Length && _trie.TryStep(ref node, word[end]); end++)
            {
                var token = _trie.TokenAt(node);
                if (token >= 0)
                {
                    Arrive(best, at, end + 1, token, score + _scores[token]);
                    hasCharacter |= end + 1 - at == width;
                }
            }
            if (!hasCharacter)
            {
                Arrive(best, at, at + width, Unknown, Rounded(score + UnknownScore));
            }
            at += width;
        }
    }

    private void Arrive(Span<Arrival> best, int start, int end, int token, double score)
    {
        if (best[end].Start < 0 || score > best[end].Score)
        {
            best[end] = new Arrival(Rounded(score), start, token);
        }
    }

    private double Rounded(double score) => IsSinglePrecision ? (float)score : score;

    // Walks back from the end; neighbouring unknown characters are one unknown piece.
    private void Walk(ReadOnlySpan<char> word, ReadOnlySpan<Arrival> best, List<int> ids)
    {
        var first = ids.Count;
        for (var end = word.Length; end > 0;)
        {
            var arrival = best[end];
            var start = arrival.Start;
            if (!IsUnknown(arrival.Token))
            {
                ids.Add(arrival.Token);
            }
            else
            {
                while (start > 0 && IsUnknown(best[start].Token))
                {
                    start = best[start].Start;
                }
                AddUnknownBackwards(word[start..end], ids);
            }
            end = start;
        }
        ids.Reverse(first, ids.Count - first);
    }

    private bool IsUnknown(int token) => token == Unknown || token == _unknownId;

    private void AddUnknownBackwards(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (_vocabulary.TryGetId(piece, out var id))
        {
            ids.Add(id);
            return;
        }
        if (_byteIds is not null)
        {
            var utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(piece.Length));
            var bytes = utf8.AsSpan(0, Encoding.UTF8.GetBytes(piece, utf8));
            var allKnown = true;
            foreach (var value in bytes)
            {
                allKnown &= _byteIds[value] >= 0;
            }
            for (var i = bytes.Length - 1; allKnown && i >= 0; i--)
            {
                ids.Add(_byteIds[bytes[i]]);
            }
            ArrayPool<byte>.Shared.Return(utf8);
            if (allKnown)
            {
                return;
            }
        }
        ids.Add(_unknownId ?? throw new TokenizationException(
            $"the model's vocabulary has no token for '{piece[..Math.Min(piece.Length, 8)]}' and no unknown token"));
    }
}
