using System.Runtime.InteropServices;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>A pattern as a non-deterministic automaton over characters, assertions included, to be made deterministic
/// (<see cref="Determinize"/>). Filled by <see cref="PatternAutomaton"/>.</summary>
/// <remarks>An assertion looks at the character before it and the one behind it, so a deterministic state is a set of nodes and what the
/// last character was; what its assertions allow is decided when the next character is known.</remarks>
internal sealed class RuneNfa(Func<string, Exception> refuse)
{
    private readonly List<List<(RuneSet Set, int To)>> _edges = [];
    private readonly List<List<(RegexAssertion? If, int To)>> _jumps = [];
    private readonly RuneSet _word = RuneSet.Word;
    private bool _asserts;
    private long _work;

    private enum Neighbour
    {
        None,
        Word,
        Other,
    }

    public int Node()
    {
        RuneAutomaton.RequireRoom(_edges.Count, refuse);
        _edges.Add([]);
        _jumps.Add([]);
        return _edges.Count - 1;
    }

    public void Rune(RuneSet set, int from, int to) => _edges[from].Add((set, to));

    public void Jump(int from, int to) => _jumps[from].Add((null, to));

    public void Assert(RegexAssertion assertion, int from, int to)
    {
        _asserts = true;
        _jumps[from].Add((assertion, to));
    }

    /// <summary>A deterministic automaton of the texts that lead from one node to the other.</summary>
    public RuneAutomaton Determinize(int start, int end)
    {
        var classes = Classes();
        var numbers = new Dictionary<string, int>();
        var states = new List<(int[] Nodes, Neighbour Before)>();
        var edges = new List<List<(RuneSet, int)>>();
        var accepting = new List<bool>();
        Number([start], Neighbour.None);
        for (var state = 0; state < states.Count; state++)
        {
            var (nodes, before) = states[state];
            accepting.Add(Close(nodes, before, Neighbour.None).Contains(end));
            var targets = new Dictionary<int, List<RuneSet>>();
            var closed = new Dictionary<Neighbour, HashSet<int>>();
            foreach (var (set, isWord) in classes)
            {
                var kind = isWord ? Neighbour.Word : Neighbour.Other;
                if (!closed.TryGetValue(kind, out var all))
                {
                    closed.Add(kind, all = Close(nodes, before, kind));
                }

                var rune = set.Ranges[0].Low;
                RuneAutomaton.RequireTime(_work += all.Count, refuse);
                int[] reached = [.. all.SelectMany(node => _edges[node]).Where(edge => edge.Set.Contains(rune)).Select(edge => edge.To)
                    .Distinct().Order()];
                if (reached.Length > 0)
                {
                    var number = Number(reached, _asserts ? kind : Neighbour.None);
                    (CollectionsMarshal.GetValueRefOrAddDefault(targets, number, out _) ??= []).Add(set);
                }
            }

            edges.Add([.. targets.Select(target => (RuneSet.Of(target.Value.SelectMany(set => set.Ranges)), target.Key))]);
        }

        return new RuneAutomaton([.. edges], [.. accepting]);

        int Number(int[] nodes, Neighbour before)
        {
            var key = $"{(int)before}:{string.Join(',', nodes)}";
            if (!numbers.TryGetValue(key, out var number))
            {
                numbers.Add(key, number = states.Count);
                states.Add((nodes, before));
                RuneAutomaton.RequireRoom(states.Count, refuse);
            }

            return number;
        }
    }

    private HashSet<int> Close(int[] nodes, Neighbour before, Neighbour next)
    {
        var reached = new HashSet<int>(nodes);
        var open = new Stack<int>(nodes);
        while (open.TryPop(out var node))
        {
            RuneAutomaton.RequireTime(_work += 1 + _edges[node].Count, refuse);
            foreach (var (condition, to) in _jumps[node])
            {
                if ((condition is null || Holds(condition.Value, before, next)) && reached.Add(to))
                {
                    open.Push(to);
                }
            }
        }

        return reached;
    }

    private static bool Holds(RegexAssertion assertion, Neighbour before, Neighbour next) => assertion switch
    {
        RegexAssertion.Start => before == Neighbour.None,
        RegexAssertion.End => next == Neighbour.None,
        RegexAssertion.Boundary => (before == Neighbour.Word) != (next == Neighbour.Word),
        _ => (before == Neighbour.Word) == (next == Neighbour.Word),
    };

    /// <summary>Sets of characters that nothing here tells apart; together they are all.</summary>
    private List<(RuneSet Set, bool IsWord)> Classes()
    {
        RuneSet[] sets = [.. _edges.SelectMany(list => list).Select(edge => edge.Set).Append(RuneSet.All).Append(_word)
            .Distinct()];
        int[] cuts = [.. sets.SelectMany(set => set.Ranges).SelectMany(range => (int[])[range.Low, range.High + 1]).Distinct().Order()];
        var alike = new Dictionary<string, List<(int, int)>>();
        for (var i = 0; i + 1 < cuts.Length; i++)
        {
            var key = string.Concat(sets.Select(set => set.Contains(cuts[i]) ? '1' : '0'));
            (CollectionsMarshal.GetValueRefOrAddDefault(alike, key, out _) ??= []).Add((cuts[i], cuts[i + 1] - 1));
        }

        return [.. alike.Where(one => one.Key.Contains('1', StringComparison.Ordinal)).Select(one => RuneSet.Of(one.Value))
            .Where(set => !set.IsEmpty).Select(set => (set, _word.Contains(set.Ranges[0].Low)))];
    }
}
