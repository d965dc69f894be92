using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization.Models;

/// <summary>Collects the tokens of a tiktoken-style vocabulary: strings of bytes, of which the one with the lower rank joins first. They
/// are spelled in <see cref="ByteAlphabet"/>, so that <see cref="Bpe"/> encodes them. Used by the readers of tekken.json and tiktoken
/// files.</summary>
/// <remarks>As tiktoken does: a word that is a token is that token; else, of the neighbours that together are a token, those of the lowest
/// rank join, the leftmost first.</remarks>
internal sealed class RankedBytes(string file)
{
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly HashSet<int> _used = [];

    public int Count => _ids.Count;

    /// <summary>One more than the highest id.</summary>
    public int NextId { get; private set; }

    /// <param name="id">Also its rank.</param>
    /// <returns>What is wrong; null for nothing.</returns>
    public string? Add(ReadOnlySpan<byte> bytes, int id)
    {
        if (bytes.IsEmpty)
        {
            return "has no bytes";
        }
        if (id is < 0 or > Vocabulary.MaxId)
        {
            return $"has the id {id}, expected 0 to {Vocabulary.MaxId}";
        }
        var spelled = string.Create(bytes.Length, bytes, (target, source) =>
        {
            for (var i = 0; i < source.Length; i++)
            {
                target[i] = ByteAlphabet.ToChar(source[i]);
            }
        });
        if (!_ids.TryAdd(spelled, id))
        {
            return $"is the same token as {_ids[spelled]}";
        }
        NextId = Math.Max(NextId, id + 1);
        return _used.Add(id) ? null : $"has the id {id}, which another token has";
    }

    /// <summary>The model, and what splits texts for it.</summary>
    /// <exception cref="TokenizerFormatException">A byte has no token, so that not every text can be encoded.</exception>
    public Bpe Build(out Vocabulary vocabulary)
    {
        for (var value = 0; value <= byte.MaxValue; value++)
        {
            if (!_ids.ContainsKey(ByteAlphabet.ToChar((byte)value).ToString()))
            {
                throw new TokenizerFormatException($"{file}: has no token for the byte 0x{value:X2}; expected one for each of the 256");
            }
        }
        Vocabulary all = new(_ids);
        KeyValuePair<string, Merges.Merge>[] tokens =
            [.. _ids.Select(entry => KeyValuePair.Create(entry.Key, new Merges.Merge(entry.Value, entry.Value)))];
        vocabulary = all;
        return new Bpe(
            all, Merges.OfTokens(file, tokens, all.TryGetId), new UnknownCharacters(null, null, fuse: false), ignoreMerges: true,
            SubwordAffixes.None);
    }

    /// <summary>Splits by a pattern and spells the bytes of what it leaves.</summary>
    public static IPreTokenizer SplitBy(Patterns.ISplitPattern pattern) => new PreTokenizerSequence(
        [new Split(pattern, SplitBehavior.Isolated, invert: false), new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: false)]);
}
