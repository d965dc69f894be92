using System.Text;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Collects the nodes and edges of an <see cref="Automaton"/>. Used by the pattern and schema builders, which lay pieces between
/// two given nodes, <c>from</c> and <c>to</c>.</summary>
/// <param name="parameter">The kind of constraint, for errors.</param>
internal sealed class AutomatonBuilder(string parameter)
{
    private const int ManyRanges = 24;

    private readonly List<ByteEdge> _bytes = [];
    private readonly List<(int From, int To)> _epsilons = [];
    private readonly List<CallEdge> _calls = [];
    private readonly List<Rule> _rules = [];

    private readonly Dictionary<RuneSet, int> _sets = [];

    public int NumNodes { get; private set; }

    /// <summary>How many calls of rules may be open at once in a text.</summary>
    public int MaxDepth { get; init; } = ConstraintLimits.MaxDepth;

    public string Parameter => parameter;

    /// <exception cref="InvalidRequestException">The automaton gets too large.</exception>
    public int Node()
    {
        if (NumNodes == ConstraintLimits.MaxNodes)
        {
            throw Refuse(
                $"needs an automaton of more than {ConstraintLimits.MaxNodes} nodes, the most that is supported; use smaller bounds or "
                + $"fewer alternatives");
        }

        return NumNodes++;
    }

    /// <summary>A part of the grammar with a beginning and an end of its own, which can be called from anywhere, itself included. The first
    /// one is the root.</summary>
    /// <returns>Its number.</returns>
    public int AddRule()
    {
        _rules.Add(new Rule(Node(), Node()));
        return _rules.Count - 1;
    }

    public Rule Rule(int number) => _rules[number];

    /// <exception cref="InvalidRequestException">The automaton gets too large; likewise for the other edges.</exception>
    public void Epsilon(int from, int to) => Add(_epsilons, (from, to));

    public void Call(int rule, int from, int to) => Add(_calls, new CallEdge(from, rule, to));

    public void Bytes(byte low, byte high, int from, int to) => Add(_bytes, new ByteEdge(from, low, high, to));

    /// <summary>A fixed text.</summary>
    public void Text(string text, int from, int to)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        if (utf8.Length == 0)
        {
            Epsilon(from, to);
        }

        for (var i = 0; i < utf8.Length; i++)
        {
            var next = i == utf8.Length - 1 ? to : Node();
            Bytes(utf8[i], utf8[i], from, next);
            from = next;
        }
    }

    /// <summary>One of several fixed texts. They share their beginnings, so no choice is open longer than it must be.</summary>
    public void Texts(IEnumerable<string> texts, int from, int to)
    {
        var children = new Dictionary<(int Node, byte Value), int>();
        foreach (var text in texts.Distinct(StringComparer.Ordinal))
        {
            var at = from;
            foreach (var value in Encoding.UTF8.GetBytes(text))
            {
                if (!children.TryGetValue((at, value), out var child))
                {
                    child = Node();
                    Bytes(value, value, at, child);
                    children.Add((at, value), child);
                }

                at = child;
            }

            Epsilon(at, to);
        }
    }

    /// <summary>One character of a set, as UTF-8.</summary>
    public void Runes(RuneSet set, int from, int to)
    {
        if (set.Ranges is [] or [.., { High: < 0x80 }])
        {
            foreach (var (low, high) in set.Ranges)
            {
                Bytes((byte)low, (byte)high, from, to);
            }

            return;
        }

        // A set of many ranges is laid once, as a rule.
        if (set.Ranges.Count > ManyRanges)
        {
            if (!_sets.TryGetValue(set, out var rule))
            {
                _sets.Add(set, rule = AddRule());
                Encode(set, _rules[rule].Start, _rules[rule].End);
            }

            Call(rule, from, to);
            return;
        }

        Encode(set, from, to);
    }

    private void Encode(RuneSet set, int from, int to)
    {
        // Sequences that end alike share their ends.
        var suffixes = new Dictionary<(int To, byte Low, byte High), int>();
        foreach (var (low, high) in set.Ranges)
        {
            foreach (var sequence in Utf8Ranges.Split(low, high))
            {
                var target = to;
                for (var i = sequence.Length - 1; i > 0; i--)
                {
                    var key = (target, sequence[i].Low, sequence[i].High);
                    if (!suffixes.TryGetValue(key, out var node))
                    {
                        node = Node();
                        Bytes(key.Low, key.High, node, target);
                        suffixes.Add(key, node);
                    }

                    target = node;
                }

                Bytes(sequence[0].Low, sequence[0].High, from, target);
            }
        }
    }

    /// <summary>A piece <paramref name="min"/> to <paramref name="max"/> times, one after the other.</summary>
    /// <param name="max">Null: without end.</param>
    /// <param name="piece">Lays one copy between two nodes.</param>
    public void Repeat(int min, int? max, int from, int to, Action<int, int> piece)
    {
        var at = from;
        for (var i = 0; i < min; i++)
        {
            var next = Node();
            piece(at, next);
            at = next;
        }

        if (max is null)
        {
            // A loop of its own, entered once: what comes before must not be repeated with it.
            var loop = Node();
            Epsilon(at, loop);
            piece(loop, loop);
            at = loop;
        }

        for (var i = min; i < max; i++)
        {
            var next = Node();
            Epsilon(at, to);
            piece(at, next);
            at = next;
        }

        Epsilon(at, to);
    }

    /// <exception cref="InvalidRequestException">Nothing can match.</exception>
    public Automaton Build()
    {
        var automaton = new Automaton(NumNodes, _bytes, _epsilons, _calls, _rules) { MaxDepth = MaxDepth };
        return automaton.Height(_rules[0].Start) <= MaxDepth
            ? automaton
            : throw Refuse($"can be met by no text, or by none that nests at most {MaxDepth} levels of recursion");
    }

    private void Add<T>(List<T> edges, T edge)
    {
        if (_epsilons.Count + _calls.Count + _bytes.Count == ConstraintLimits.MaxEdges)
        {
            throw Refuse(
                $"needs an automaton of more than {ConstraintLimits.MaxEdges} edges, the most that is supported; use smaller bounds or "
                + $"fewer alternatives");
        }

        edges.Add(edge);
    }

    public InvalidRequestException Refuse(string problem) => new($"{parameter} {problem}", parameter);
}

/// <summary>A byte in a range leads from a node to another.</summary>
internal readonly record struct ByteEdge(int From, byte Low, byte High, int To);

/// <summary>A text of a rule leads from a node to another.</summary>
internal readonly record struct CallEdge(int From, int Rule, int To);

/// <summary>Where a rule begins and ends. No edge leaves its end.</summary>
internal readonly record struct Rule(int Start, int End);
