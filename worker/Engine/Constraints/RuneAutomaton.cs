namespace Cluster.Worker.Engine.Constraints;

/// <summary>A deterministic automaton over characters, for what must hold at once: patterns, formats, lengths, names. Made by
/// <see cref="RuneNfa"/> and from others; laid into an <see cref="AutomatonBuilder"/>. State 0 is the start; immutable.</summary>
internal sealed class RuneAutomaton
{
    private readonly List<(RuneSet Set, int To)>[] _edges;
    private readonly bool[] _accepting;

    /// <param name="edges">For each state, disjoint sets and where they lead; other characters lead nowhere.</param>
    public RuneAutomaton(List<(RuneSet Set, int To)>[] edges, bool[] accepting)
    {
        var lives = Alive(edges, accepting);
        _edges = [.. edges.Select((list, state) => lives[state] ? list.FindAll(edge => lives[edge.To]) : [])];
        _accepting = accepting;
        IsEmpty = !lives[0];
    }

    /// <summary>Every text.</summary>
    public static RuneAutomaton Anything { get; } = new([[(RuneSet.All, 0)]], [true]);

    /// <summary>No text matches.</summary>
    public bool IsEmpty { get; }

    public int NumStates => _edges.Length;

    public IReadOnlyList<(RuneSet Set, int To)> Edges(int state) => _edges[state];

    public bool IsAccepting(int state) => _accepting[state];

    /// <summary>Texts of so many characters.</summary>
    public static RuneAutomaton Length(int min, int? max)
    {
        var last = max ?? min;
        var edges = new List<(RuneSet, int)>[last + 1];
        for (var state = 0; state <= last; state++)
        {
            edges[state] = state < last ? [(RuneSet.All, state + 1)] : max is null ? [(RuneSet.All, last)] : [];
        }

        return new RuneAutomaton(edges, [.. Enumerable.Range(0, last + 1).Select(length => length >= min)]);
    }

    /// <summary>Texts of both.</summary>
    public RuneAutomaton And(RuneAutomaton other, Func<string, Exception> refuse)
    {
        var numbers = new Dictionary<(int, int), int> { [(0, 0)] = 0 };
        var open = new Queue<(int Left, int Right)>([(0, 0)]);
        var edges = new List<List<(RuneSet, int)>>();
        var accepting = new List<bool>();
        var work = 0L;
        while (open.TryDequeue(out var pair))
        {
            var list = new List<(RuneSet, int)>();
            edges.Add(list);
            accepting.Add(_accepting[pair.Left] && other._accepting[pair.Right]);
            foreach (var (leftSet, leftTo) in _edges[pair.Left])
            {
                foreach (var (rightSet, rightTo) in other._edges[pair.Right])
                {
                    RequireTime(work += leftSet.Ranges.Count + rightSet.Ranges.Count, refuse);
                    var common = leftSet.Intersect(rightSet);
                    if (common.IsEmpty)
                    {
                        continue;
                    }

                    if (!numbers.TryGetValue((leftTo, rightTo), out var number))
                    {
                        numbers.Add((leftTo, rightTo), number = numbers.Count);
                        open.Enqueue((leftTo, rightTo));
                        RequireRoom(numbers.Count, refuse);
                    }

                    list.Add((common, number));
                }
            }
        }

        return new RuneAutomaton([.. edges], [.. accepting]);
    }

    /// <summary>All other texts.</summary>
    public RuneAutomaton Not()
    {
        var dead = _edges.Length;
        var edges = new List<(RuneSet, int)>[dead + 1];
        for (var state = 0; state < dead; state++)
        {
            var rest = RuneSet.Of(_edges[state].SelectMany(edge => edge.Set.Ranges)).Complement();
            edges[state] = rest.IsEmpty ? _edges[state] : [.. _edges[state], (rest, dead)];
        }

        edges[dead] = [(RuneSet.All, dead)];
        return new RuneAutomaton(edges, [.. _accepting.Select(accepts => !accepts), true]);
    }

    /// <summary>Texts of the one that are not of the other.</summary>
    public RuneAutomaton Except(RuneAutomaton other, Func<string, Exception> refuse) => And(other.Not(), refuse);

    public bool Matches(string text)
    {
        var state = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            var next = _edges[state].FindIndex(edge => edge.Set.Contains(rune.Value));
            if (next < 0)
            {
                return false;
            }

            state = _edges[state][next].To;
        }

        return _accepting[state];
    }

    /// <param name="character">Lays one character of a set.</param>
    public void Lay(AutomatonBuilder builder, Action<RuneSet, int, int> character, int from, int to)
    {
        if (IsEmpty)
        {
            return;
        }

        var nodes = new int[_edges.Length];
        for (var state = 0; state < nodes.Length; state++)
        {
            nodes[state] = builder.Node();
        }

        builder.Epsilon(from, nodes[0]);
        for (var state = 0; state < nodes.Length; state++)
        {
            foreach (var (set, target) in _edges[state])
            {
                character(set, nodes[state], nodes[target]);
            }

            if (_accepting[state])
            {
                builder.Epsilon(nodes[state], to);
            }
        }
    }

    /// <exception cref="Exception">What <paramref name="refuse"/> makes: there are too many states.</exception>
    public static void RequireRoom(int states, Func<string, Exception> refuse)
    {
        if (states > ConstraintLimits.MaxRuneStates)
        {
            throw refuse(
                $"needs an automaton of more than {ConstraintLimits.MaxRuneStates} states to hold beside its neighbours; use smaller "
                + "bounds or a simpler pattern");
        }
    }

    /// <exception cref="Exception">What <paramref name="refuse"/> makes: it takes too long.</exception>
    public static void RequireTime(long work, Func<string, Exception> refuse)
    {
        if (work > ConstraintLimits.MaxRuneWork)
        {
            throw refuse("takes too long to be made an automaton; use smaller bounds or a simpler pattern");
        }
    }

    /// <summary>States from which some text ends well.</summary>
    private static bool[] Alive(List<(RuneSet Set, int To)>[] edges, bool[] accepting)
    {
        var back = new List<int>[edges.Length];
        for (var state = 0; state < edges.Length; state++)
        {
            foreach (var (_, to) in edges[state])
            {
                (back[to] ??= []).Add(state);
            }
        }

        var lives = (bool[])accepting.Clone();
        var open = new Stack<int>(Enumerable.Range(0, edges.Length).Where(state => accepting[state]));
        while (open.TryPop(out var state))
        {
            foreach (var before in back[state] ?? [])
            {
                if (!lives[before])
                {
                    lives[before] = true;
                    open.Push(before);
                }
            }
        }

        return lives;
    }
}
