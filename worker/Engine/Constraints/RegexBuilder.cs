namespace Cluster.Worker.Engine.Constraints;

/// <summary>Lays a parsed pattern into an automaton.</summary>
/// <param name="character">Lays one character of a set: plain, or as a JSON string writes it.</param>
internal sealed class RegexBuilder(AutomatonBuilder builder, Action<RuneSet, int, int> character)
{
    /// <summary>Texts that match as a whole, whether the pattern has anchors or not.</summary>
    public void Whole(IReadOnlyList<AnchoredBranch> branches, int from, int to)
    {
        foreach (var branch in branches)
        {
            Lay(branch.Node, from, to);
        }
    }

    /// <summary>Texts that hold a match somewhere, as JSON schema's <c>pattern</c> means it.</summary>
    public void Search(IReadOnlyList<AnchoredBranch> branches, int from, int to)
    {
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

    private void Lay(RegexNode node, int from, int to)
    {
        switch (node)
        {
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
                foreach (var item in sequence.Items)
                {
                    var next = builder.Node();
                    Lay(item, from, next);
                    from = next;
                }

                builder.Epsilon(from, to);
                break;
        }
    }
}
