namespace Cluster.Worker.Engine.Constraints;

/// <summary>A recursive transition network over bytes: a non-deterministic automaton whose edges read a byte of a range, nothing, or a text
/// of a rule. Without calls of rules it is a plain NFA. Made by <see cref="AutomatonBuilder"/>, walked by <see cref="CompiledConstraint"/>,
/// immutable.</summary>
internal sealed class Automaton
{
    private const int Never = int.MaxValue;

    private readonly ByteEdge[] _bytes;
    private readonly int[] _byteStarts;
    private readonly int[] _epsilons;
    private readonly int[] _epsilonStarts;
    private readonly CallEdge[] _calls;
    private readonly int[] _callStarts;
    private readonly Rule[] _rules;
    private readonly bool[] _isEnd;
    private readonly int[] _heights;

    public Automaton(
        int numNodes, List<ByteEdge> byteEdges, List<(int From, int To)> epsilonEdges, List<CallEdge> callEdges, List<Rule> rules)
    {
        _bytes = Group(byteEdges, edge => edge.From, numNodes, out _byteStarts);
        _epsilons = [.. Group(epsilonEdges, edge => edge.From, numNodes, out _epsilonStarts).Select(edge => edge.To)];
        _calls = Group(callEdges, edge => edge.From, numNodes, out _callStarts);
        _rules = [.. rules];
        _isEnd = new bool[numNodes];
        foreach (var rule in rules)
        {
            _isEnd[rule.End] = true;
        }

        _heights = Heights();
        (ClassOfByte, FirstByteOfClass) = Classes(_bytes);
    }

    /// <summary>How many calls may be open at once in a text.</summary>
    public int MaxDepth { get; init; } = ConstraintLimits.MaxDepth;

    public int Start => _rules[0].Start;

    /// <summary>Bytes that no edge tells apart have the same class.</summary>
    public byte[] ClassOfByte { get; }

    /// <summary>A byte of each class.</summary>
    public byte[] FirstByteOfClass { get; }

    public ReadOnlySpan<ByteEdge> Bytes(int node) => _bytes.AsSpan(_byteStarts[node].._byteStarts[node + 1]);

    public ReadOnlySpan<int> Epsilons(int node) => _epsilons.AsSpan(_epsilonStarts[node].._epsilonStarts[node + 1]);

    public ReadOnlySpan<CallEdge> Calls(int node) => _calls.AsSpan(_callStarts[node].._callStarts[node + 1]);

    public Rule Rule(int number) => _rules[number];

    public bool IsEnd(int node) => _isEnd[node];

    /// <summary>How many calls must be open at once, at least, on the way from a node to its rule's end; <see cref="int.MaxValue"/> when
    /// there is no way.</summary>
    public int Height(int node) => _heights[node];

    /// <summary>Sorts edges by their first node, keeping their order otherwise.</summary>
    private static T[] Group<T>(List<T> edges, Func<T, int> from, int numNodes, out int[] starts)
    {
        starts = new int[numNodes + 1];
        foreach (var edge in edges)
        {
            starts[from(edge) + 1]++;
        }

        for (var node = 0; node < numNodes; node++)
        {
            starts[node + 1] += starts[node];
        }

        var grouped = new T[edges.Count];
        var next = starts.AsSpan(0, numNodes).ToArray();
        foreach (var edge in edges)
        {
            grouped[next[from(edge)]++] = edge;
        }

        return grouped;
    }

    private static (byte[] ClassOfByte, byte[] FirstByteOfClass) Classes(ByteEdge[] edges)
    {
        var starts = new bool[257];
        starts[0] = true;
        foreach (var edge in edges)
        {
            starts[edge.Low] = true;
            starts[edge.High + 1] = true;
        }

        var classOfByte = new byte[256];
        var first = new List<byte>();
        for (var value = 0; value < 256; value++)
        {
            if (starts[value])
            {
                first.Add((byte)value);
            }

            classOfByte[value] = (byte)(first.Count - 1);
        }

        return (classOfByte, [.. first]);
    }

    /// <summary>Relaxes backwards from the rules' ends until nothing gets lower.</summary>
    private int[] Heights()
    {
        var found = new int[_isEnd.Length];
        Array.Fill(found, Never);
        var back = new List<(int To, int From)>();
        back.AddRange(_bytes.Select(edge => (edge.To, edge.From)));
        for (var node = 0; node < _isEnd.Length; node++)
        {
            foreach (var to in Epsilons(node))
            {
                back.Add((to, node));
            }
        }

        back.AddRange(_calls.Select(call => (call.To, call.From)));
        back.AddRange(_calls.Select(call => (_rules[call.Rule].Start, call.From)));
        var predecessors = Group(back, edge => edge.To, _isEnd.Length, out var starts);
        var queue = new Queue<int>(_rules.Select(rule => rule.End));
        foreach (var rule in _rules)
        {
            found[rule.End] = 0;
        }

        while (queue.TryDequeue(out var node))
        {
            foreach (var (_, from) in predecessors.AsSpan(starts[node]..starts[node + 1]))
            {
                var height = HeightOf(from, found);
                if (height < found[from])
                {
                    found[from] = height;
                    queue.Enqueue(from);
                }
            }
        }

        return found;
    }

    private int HeightOf(int node, int[] known)
    {
        var height = known[node];
        foreach (var edge in Bytes(node))
        {
            height = Math.Min(height, known[edge.To]);
        }

        foreach (var to in Epsilons(node))
        {
            height = Math.Min(height, known[to]);
        }

        foreach (var call in Calls(node))
        {
            var inside = known[_rules[call.Rule].Start];
            if (inside != Never && known[call.To] != Never)
            {
                // The last call of a rule replaces it, so it does not wait.
                height = Math.Min(height, _isEnd[call.To] ? inside : Math.Max(inside + 1, known[call.To]));
            }
        }

        return height;
    }
}
