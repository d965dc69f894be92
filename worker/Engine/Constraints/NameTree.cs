using System.Text;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>An automaton of some fixed texts. Used by <see cref="PropertyRules"/>.</summary>
internal static class NameTree
{
    public static RuneAutomaton Of(IEnumerable<string> names)
    {
        var edges = new List<List<(RuneSet Set, int To)>> { new() };
        var accepting = new List<bool> { false };
        var children = new Dictionary<(int State, Rune Rune), int>();
        foreach (var name in names)
        {
            var state = 0;
            foreach (var rune in name.EnumerateRunes())
            {
                if (!children.TryGetValue((state, rune), out var child))
                {
                    children.Add((state, rune), child = edges.Count);
                    edges[state].Add((RuneSet.Single(rune.Value), child));
                    edges.Add([]);
                    accepting.Add(false);
                }

                state = child;
            }

            accepting[state] = true;
        }

        return new RuneAutomaton([.. edges], [.. accepting]);
    }
}
