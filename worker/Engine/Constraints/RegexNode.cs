namespace Cluster.Worker.Engine.Constraints;

/// <summary>A parsed pattern. Made by <see cref="RegexParser"/>, laid into an automaton by <see cref="RegexBuilder"/>.</summary>
internal abstract record RegexNode
{
    /// <summary>One character of a set.</summary>
    public sealed record Character(RuneSet Set) : RegexNode;

    public sealed record Sequence(IReadOnlyList<RegexNode> Items) : RegexNode;

    public sealed record Alternation(IReadOnlyList<RegexNode> Branches) : RegexNode;

    /// <param name="Max">Null: without end.</param>
    public sealed record Repetition(RegexNode Item, int Min, int? Max) : RegexNode;
}

/// <summary>One of a pattern's outermost alternatives, the only place where anchors may stand.</summary>
internal sealed record AnchoredBranch(RegexNode Node, bool FromStart, bool ToEnd);
