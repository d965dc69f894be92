namespace Cluster.Worker.Tokenization.Models;

/// <summary>Makes <see cref="Models.Merges"/> of a list of pairs, the first of which joins first. Used by the readers of tokenizer.json and
/// merges.txt.</summary>
/// <param name="prefix">What every token but a word's first begins with; the right side of a pair loses it.</param>
internal sealed class MergeRules(Vocabulary vocabulary, string prefix, int capacity)
{
    private char[] _joined = new char[256];

    public Merges Merges { get; } = new(capacity);

    /// <summary>Pairs added.</summary>
    public int Count { get; private set; }

    /// <returns>What is wrong with the pair; null for nothing.</returns>
    public string? Add(string left, string right)
    {
        if (_joined.Length < left.Length + right.Length)
        {
            _joined = new char[left.Length + right.Length];
        }
        left.CopyTo(_joined);
        var tail = right.StartsWith(prefix, StringComparison.Ordinal) ? right.AsSpan(prefix.Length) : right;
        tail.CopyTo(_joined.AsSpan(left.Length));
        if (!vocabulary.TryGetId(left, out var leftId) || !vocabulary.TryGetId(right, out var rightId)
            || !vocabulary.TryGetId(_joined.AsSpan(0, left.Length + tail.Length), out var id))
        {
            return $"'{left}' + '{right}': both and what they join to must be in the vocabulary";
        }
        Merges.Add(leftId, rightId, new Merges.Merge(Count++, id));
        return null;
    }
}
