namespace Cluster.Worker.Engine.Constraints.Grammars;

/// <summary>Takes left recursion out of a grammar: <c>sum: sum "+" n | n</c> becomes <c>sum: n ("+" n)*</c>, which has the same texts,
/// needs no call for each step, and so no bound on their number. Called by <see cref="GrammarBuilder"/>.</summary>
/// <remarks>Paull's algorithm over the rules that call each other at their left: each has the alternatives of those before it put in place
/// of their names, and then loops over what followed its own. Recursion behind something that may be empty stays; it nests within the
/// bound that all recursion has.</remarks>
internal sealed class LeftRecursion
{
    private readonly Func<string, InvalidRequestException> _refuse;
    private readonly Dictionary<string, RegexNode> _rules;

    private LeftRecursion(Grammar grammar, Func<string, InvalidRequestException> refuse)
    {
        _rules = new Dictionary<string, RegexNode>(grammar.Rules, StringComparer.Ordinal);
        _refuse = refuse;
    }

    public static Grammar Remove(Grammar grammar, Func<string, InvalidRequestException> refuse)
    {
        var recursion = new LeftRecursion(grammar, refuse);
        var circles = recursion.Circles();
        var done = new List<string>();
        foreach (var name in grammar.Rules.Keys.Where(circles.ContainsKey))
        {
            recursion.Straighten(name, [.. done.Where(before => circles[before].Contains(name) && circles[name].Contains(before))]);
            done.Add(name);
        }

        return grammar with { Rules = recursion._rules };
    }

    private void Straighten(string name, IReadOnlyCollection<string> before)
    {
        var ways = Ways(_rules[name]);
        for (var again = true; again;)
        {
            again = false;
            var replaced = new List<RegexNode[]>();
            foreach (var way in ways)
            {
                if (way is [RegexNode.Reference first, .. var rest] && before.Contains(first.Rule))
                {
                    again = true;
                    replaced.AddRange(Ways(_rules[first.Rule]).Select(head => (RegexNode[])[.. head, .. rest]));
                }
                else
                {
                    replaced.Add(way);
                }

                RequireRoom(replaced.Count);
            }

            ways = replaced;
        }

        var loops = ways.Where(way => way is [RegexNode.Reference first, ..] && first.Rule == name).Select(way => way[1..])
            .Where(rest => rest.Length > 0).Select(rest => (RegexNode)new RegexNode.Sequence(rest)).ToArray();
        RegexNode[] ends = [.. ways.Where(way => way is not [RegexNode.Reference first, ..] || first.Rule != name)
            .Select(way => new RegexNode.Sequence(way))];
        if (ends.Length == 0)
        {
            throw _refuse($"has the rule '{name}', which only calls itself and ends nowhere");
        }

        var end = ends.Length == 1 ? ends[0] : new RegexNode.Alternation(ends);
        _rules[name] = loops.Length == 0
            ? end
            : new RegexNode.Sequence([end, new RegexNode.Repetition(new RegexNode.Alternation(loops), 0, null)]);
    }

    /// <summary>The alternatives of a node, each as what stands one after the other; groups at the left are taken apart.</summary>
    private List<RegexNode[]> Ways(RegexNode node)
    {
        var open = new Stack<RegexNode[]>([[node]]);
        var ways = new List<RegexNode[]>();
        while (open.TryPop(out var way))
        {
            switch (way)
            {
                case [RegexNode.Sequence first, .. var rest]:
                    open.Push([.. first.Items, .. rest]);
                    break;
                case [RegexNode.Alternation first, .. var rest]:
                    foreach (var branch in first.Branches.Reverse())
                    {
                        open.Push([branch, .. rest]);
                    }

                    break;
                case [RegexNode.Repetition { Max: 1, Min: 0 } first, .. var rest]:
                    open.Push(rest);
                    open.Push([first.Item, .. rest]);
                    break;
                case [RegexNode.Repetition { Min: 1 } first, .. var rest]:
                    open.Push([first.Item, new RegexNode.Repetition(first.Item, 0, first.Max - 1), .. rest]);
                    break;
                default:
                    ways.Add(way);
                    break;
            }

            RequireRoom(open.Count + ways.Count);
        }

        return ways;
    }

    private void RequireRoom(int ways)
    {
        if (ways > ConstraintLimits.MaxRules)
        {
            throw _refuse(
                $"recurses at the left in a way that takes more than {ConstraintLimits.MaxRules} alternatives to write otherwise; let "
                + "rules begin with what they read");
        }
    }

    /// <summary>For each rule that can come to call itself at its left, all rules it can so call.</summary>
    private Dictionary<string, HashSet<string>> Circles()
    {
        var calls = _rules.ToDictionary(rule => rule.Key, rule => Ways(rule.Value)
            .Select(way => way is [RegexNode.Reference first, ..] ? first.Rule : null).OfType<string>().ToHashSet());
        var reached = new Dictionary<string, HashSet<string>>();
        foreach (var name in _rules.Keys)
        {
            var all = new HashSet<string>();
            var open = new Stack<string>(calls[name]);
            while (open.TryPop(out var called))
            {
                if (all.Add(called) && calls.TryGetValue(called, out var further))
                {
                    foreach (var one in further)
                    {
                        open.Push(one);
                    }
                }
            }

            if (all.Contains(name))
            {
                reached.Add(name, all);
            }
        }

        return reached;
    }
}
