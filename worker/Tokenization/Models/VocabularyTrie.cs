namespace Cluster.Worker.Tokenization.Models;

/// <summary>All tokens of a vocabulary as a tree of UTF-16 units, to find every token that starts at a place in one walk.
/// Used by <see cref="Unigram"/> and the parts of SentencePiece.</summary>
internal sealed class VocabularyTrie
{
    public const int Root = 0;

    // (node, character) → child: one table for the whole tree is far smaller than a table a node.
    private readonly Dictionary<ulong, int> _children;
    private readonly List<int> _tokens = [-1];

    /// <param name="tokens">By id; those that are empty are left out.</param>
    public VocabularyTrie(IReadOnlyCollection<string> tokens)
    {
        _children = new Dictionary<ulong, int>(tokens.Count);
        var id = 0;
        foreach (var token in tokens)
        {
            var node = Root;
            foreach (var c in token)
            {
                if (!_children.TryGetValue(Key(node, c), out var child))
                {
                    child = _tokens.Count;
                    _tokens.Add(-1);
                    _children.Add(Key(node, c), child);
                }
                node = child;
            }
            _tokens[node] = id++;
        }
        _tokens[Root] = -1;
    }

    /// <summary>Steps from a node along one UTF-16 unit.</summary>
    public bool TryStep(ref int node, char c) => _children.TryGetValue(Key(node, c), out node);

    /// <summary>The token that ends at a node, or -1. Of two spelled alike the later one counts.</summary>
    public int TokenAt(int node) => _tokens[node];

    /// <summary>The longest token that a text begins with.</summary>
    /// <returns>Its length; 0 for none.</returns>
    public int LongestAt(ReadOnlySpan<char> text, out int token)
    {
        var length = 0;
        token = -1;
        var node = Root;
        for (var i = 0; i < text.Length && TryStep(ref node, text[i]); i++)
        {
            if (TokenAt(node) is var found and >= 0)
            {
                (length, token) = (i + 1, found);
            }
        }
        return length;
    }

    public int LongestAt(ReadOnlySpan<char> text) => LongestAt(text, out _);

    private static ulong Key(int node, char c) => ((ulong)(uint)node << 32) | c;
}
