namespace Cluster.Worker.Engine.Constraints;

/// <summary>Lays a parsed pattern into an automaton.</summary>
/// <param name="character">Lays one character of a set: plain, or as a JSON string writes it.</param>
/// <param name="rule">The number of a grammar's rule; null where patterns have none.</param>
internal sealed class RegexBuilder(
    AutomatonBuilder builder, Action<RuneSet, int, int> character, Func<string, int>? rule = null)
{
    /// <summary>Texts that match as a whole, whether the pattern has anchors or not.</summary>
    public void Whole(IReadOnlyList<AnchoredBranch> branches, int from, int to)
    {
        if (branches.Any(branch => branch.HasAssertions))
        {
            PatternAutomaton.Whole(branches, builder.Refuse).Lay(builder, character, from, to);
            return;
        }

        foreach (var branch in branches)
        {
            Lay(branch.Node, from, to);
        }
    }

    /// <summary>Texts that hold a match somewhere, as JSON schema's <c>pattern</c> means it.</summary>
    public void Search(IReadOnlyList<AnchoredBranch> branches, int from, int to)
    {
        if (branches.Any(branch => branch.HasAssertions))
        {
            PatternAutomaton.Search(branches, builder.Refuse).Lay(builder, character, from, to);
            return;
        }

        foreach (var branch in branches)
        {
            var start = branch.FromStart ? from : Anything(from);
            var end = builder.Node();
            Lay(branch.Node, start, end);
            builder.Epsilon(branch.ToEnd ? end : Anything(end), to);
        }
    }

    private int Anything(int from)
    {
        var loop = builder.Node();
        builder.Epsilon(from, loop);
        character(RuneSet.All, loop, loop);
        return loop;
    }

    public void Lay(RegexNode node, int from, int to)
    {
        switch (node)
        {
            case RegexNode.Automaton automaton:
                automaton.Texts.Lay(builder, character, from, to);
                break;
            case RegexNode.Reference reference:
                builder.Call(rule!(reference.Rule), from, to);
                break;
            case RegexNode.Character one:
                character(one.Set, from, to);
                break;
            case RegexNode.Alternation alternation:
                foreach (var branch in alternation.Branches)
                {
                    Lay(branch, from, to);
                }

                break;
            case RegexNode.Repetition repetition:
                builder.Repeat(repetition.Min, repetition.Max, from, to, (start, end) => Lay(repetition.Item, start, end));
                break;
            case RegexNode.Sequence sequence:
                if (sequence.Items.Count == 0)
                {
                    builder.Epsilon(from, to);
                }

                // The last leads to the end itself, so that a rule called there replaces its caller.
                for (var i = 0; i < sequence.Items.Count; i++)
                {
                    var next = i == sequence.Items.Count - 1 ? to : builder.Node();
                    Lay(sequence.Items[i], from, next);
                    from = next;
                }

                break;
        }
    }
}
