using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>The bytes of all ordinary tokens as a tree, so that tokens with a common beginning are tried together. Walked by
/// <see cref="CompiledConstraint"/>; one for an engine, immutable.</summary>
/// <remarks>Nodes lie in preorder: a node's first child comes right after it, and <c>ends</c> leads past all its descendants.
/// <code>
/// tokens "a" "ab" "ac" "b":   node   0:a  1:b  2:c  3:b
///                             depth    0    1    1    0
///                             end      3    2    3    4
/// </code></remarks>
internal sealed class TokenTrie
{
    private readonly List<TrieNode> _nodes = [];
    private readonly List<int> _tokens = [];
    private readonly byte[]?[] _bytes;
    private readonly int[] _eosTokenIds;

    /// <param name="vocabSize">Of the logits; ids beyond it are left out.</param>
    /// <param name="eosTokenIds">What may end an output.</param>
    public TokenTrie(ITokenizer tokenizer, int vocabSize, int[] eosTokenIds)
    {
        VocabSize = vocabSize;
        _eosTokenIds = eosTokenIds;
        _bytes = new byte[]?[vocabSize];
        for (var id = 0; id < Math.Min(vocabSize, tokenizer.VocabSize); id++)
        {
            // An end-of-sequence token ends the output even where its vocabulary spells it as a text.
            _bytes[id] = !eosTokenIds.Contains(id) && tokenizer.TokenBytes(id) is { Length: > 0 } spelled ? spelled : null;
        }

        int[] sorted = [.. Enumerable.Range(0, vocabSize).Where(id => _bytes[id] is not null)];
        Array.Sort(
            sorted,
            (left, right) => _bytes[left].AsSpan().SequenceCompareTo(_bytes[right]) is not 0 and var order ? order : left.CompareTo(right));
        Build(sorted);
    }

    public int VocabSize { get; }

    public ReadOnlySpan<int> EosTokenIds => _eosTokenIds;

    public int NumNodes => _nodes.Count;

    public int MaxDepth { get; private set; }

    public TrieNode Node(int index) => _nodes[index];

    public int Token(int index) => _tokens[index];

    /// <summary>Null for tokens that a constrained output never has: special ones and unused ids.</summary>
    public byte[]? BytesOf(int token) => _bytes[token];

    private void Build(int[] sorted)
    {
        var open = new List<int>();
        byte[] previous = [];
        foreach (var token in sorted)
        {
            var spelled = _bytes[token]!;
            var common = previous.AsSpan().CommonPrefixLength(spelled);
            Close(open, common);
            for (var depth = common; depth < spelled.Length; depth++)
            {
                open.Add(_nodes.Count);
                _nodes.Add(new TrieNode(spelled[depth], depth, 0, _tokens.Count, _tokens.Count));
            }

            _tokens.Add(token);
            _nodes[open[^1]] = _nodes[open[^1]] with { TokensEnd = _tokens.Count };
            MaxDepth = Math.Max(MaxDepth, spelled.Length);
            previous = spelled;
        }

        Close(open, 0);
    }

    private void Close(List<int> open, int depth)
    {
        foreach (var node in open.Skip(depth))
        {
            _nodes[node] = _nodes[node] with { End = _nodes.Count };
        }

        open.RemoveRange(depth, open.Count - depth);
    }
}

/// <param name="Depth">Bytes before this one.</param>
/// <param name="End">The node after this one's descendants.</param>
/// <param name="TokensStart">First of the tokens that end here; there can be several, as a vocabulary may spell a byte in two ways.</param>
internal readonly record struct TrieNode(byte Value, int Depth, int End, int TokensStart, int TokensEnd);
