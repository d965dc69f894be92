namespace Cluster.Worker.Engine.Constraints;

/// <summary>Makes a deterministic automaton of a pattern. For what <see cref="RegexBuilder"/> cannot lay as it stands: assertions,
/// lookaheads, and patterns that must hold beside something else.</summary>
internal sealed class PatternAutomaton
{
    private readonly Func<string, Exception> _refuse;
    private RuneNfa _nfa;

    private PatternAutomaton(Func<string, Exception> refuse)
    {
        _refuse = refuse;
        _nfa = new RuneNfa(refuse);
    }

    /// <summary>Texts that match as a whole.</summary>
    /// <param name="refuse">Makes an exception of what is wrong.</param>
    public static RuneAutomaton Whole(IReadOnlyList<AnchoredBranch> branches, Func<string, Exception> refuse) =>
        Make(branches, anchored: true, refuse);

    /// <summary>Texts that hold a match somewhere.</summary>
    /// <param name="refuse">Makes an exception of what is wrong.</param>
    public static RuneAutomaton Search(IReadOnlyList<AnchoredBranch> branches, Func<string, Exception> refuse) =>
        Make(branches, anchored: false, refuse);

    private static RuneAutomaton Make(IReadOnlyList<AnchoredBranch> branches, bool anchored, Func<string, Exception> refuse)
    {
        var pattern = new PatternAutomaton(refuse);
        var start = pattern._nfa.Node();
        var end = pattern._nfa.Node();
        foreach (var branch in branches)
        {
            if (Items(branch.Node).Count(item => item is RegexNode.Look) > ConstraintLimits.MaxNesting)
            {
                throw refuse($"has more than {ConstraintLimits.MaxNesting} lookaheads, the most that is supported");
            }

            var from = start;
            if (!anchored && !branch.FromStart)
            {
                from = pattern._nfa.Node();
                pattern._nfa.Jump(start, from);
                pattern._nfa.Rune(RuneSet.All, from, from);
            }

            pattern.Tail(Items(branch.Node), 0, ends: anchored || branch.ToEnd, from, end);
        }

        return pattern._nfa.Determinize(start, end);
    }

    private static IReadOnlyList<RegexNode> Items(RegexNode node) => node is RegexNode.Sequence sequence ? sequence.Items : [node];

    /// <summary>The rest of a branch. A lookahead holds of all that follows it, so the rest behind it becomes an automaton of its own, and
    /// only the texts of both are left.</summary>
    private void Tail(IReadOnlyList<RegexNode> items, int first, bool ends, int from, int to)
    {
        for (var i = first; i < items.Count; i++)
        {
            if (items[i] is RegexNode.Look look)
            {
                Embed(Looked(look, items, i, ends), from, to);
                return;
            }

            var next = _nfa.Node();
            Lay(items[i], from, next);
            from = next;
        }

        if (!ends)
        {
            _nfa.Rune(RuneSet.All, from, from);
        }

        _nfa.Jump(from, to);
    }

    private RuneAutomaton Looked(RegexNode.Look look, IReadOnlyList<RegexNode> items, int at, bool ends)
    {
        if (items.Take(at).Any(item => item is not RegexNode.Look) && items.Skip(at).Append(look.Item).Any(LooksBack))
        {
            throw _refuse("has an assertion such as \\b or ^ at or behind a lookahead that something stands before");
        }

        if (Items(look.Item).Count(item => item is RegexNode.Look) > ConstraintLimits.MaxNesting)
        {
            throw _refuse($"has more than {ConstraintLimits.MaxNesting} lookaheads in one, the most that is supported");
        }

        var seen = Own(pattern => (from, to) => pattern.Tail(Items(look.Item), 0, ends: false, from, to));
        var rest = Own(pattern => (from, to) => pattern.Tail(items, at + 1, ends, from, to));
        return look.IsNegative ? rest.Except(seen, _refuse) : rest.And(seen, _refuse);
    }

    private RuneAutomaton Own(Func<PatternAutomaton, Action<int, int>> lay)
    {
        var own = new PatternAutomaton(_refuse);
        var start = own._nfa.Node();
        var end = own._nfa.Node();
        lay(own)(start, end);
        return own._nfa.Determinize(start, end);
    }

    private void Embed(RuneAutomaton automaton, int from, int to)
    {
        if (automaton.IsEmpty)
        {
            return;
        }

        int[] nodes = [.. Enumerable.Range(0, automaton.NumStates).Select(_ => _nfa.Node())];
        _nfa.Jump(from, nodes[0]);
        for (var state = 0; state < nodes.Length; state++)
        {
            foreach (var (set, target) in automaton.Edges(state))
            {
                _nfa.Rune(set, nodes[state], nodes[target]);
            }

            if (automaton.IsAccepting(state))
            {
                _nfa.Jump(nodes[state], to);
            }
        }
    }

    private void Lay(RegexNode node, int from, int to)
    {
        switch (node)
        {
            case RegexNode.Character one:
                _nfa.Rune(one.Set, from, to);
                break;
            case RegexNode.Assertion assertion:
                _nfa.Assert(assertion.Kind, from, to);
                break;
            case RegexNode.Alternation alternation:
                foreach (var branch in alternation.Branches)
                {
                    Lay(branch, from, to);
                }

                break;
            case RegexNode.Repetition repetition:
                Repeat(repetition, from, to);
                break;
            case RegexNode.Sequence sequence:
                foreach (var item in sequence.Items)
                {
                    var next = _nfa.Node();
                    Lay(item, from, next);
                    from = next;
                }

                _nfa.Jump(from, to);
                break;
            default:
                throw _refuse("has a lookahead inside a group, which is not supported; use it in an outermost alternative");
        }
    }

    private void Repeat(RegexNode.Repetition repetition, int from, int to)
    {
        for (var i = 0; i < repetition.Min; i++)
        {
            var next = _nfa.Node();
            Lay(repetition.Item, from, next);
            from = next;
        }

        if (repetition.Max is null)
        {
            var loop = _nfa.Node();
            _nfa.Jump(from, loop);
            Lay(repetition.Item, loop, loop);
            from = loop;
        }

        for (var i = repetition.Min; i < repetition.Max; i++)
        {
            var next = _nfa.Node();
            _nfa.Jump(from, to);
            Lay(repetition.Item, from, next);
            from = next;
        }

        _nfa.Jump(from, to);
    }

    private static bool LooksBack(RegexNode node) => node switch
    {
        RegexNode.Assertion { Kind: not RegexAssertion.End } => true,
        RegexNode.Sequence sequence => sequence.Items.Any(LooksBack),
        RegexNode.Alternation alternation => alternation.Branches.Any(LooksBack),
        RegexNode.Repetition repetition => LooksBack(repetition.Item),
        RegexNode.Look look => LooksBack(look.Item),
        _ => false,
    };
}
