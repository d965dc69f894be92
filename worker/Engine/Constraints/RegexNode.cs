namespace Cluster.Worker.Engine.Constraints;

/// <summary>A parsed pattern. Made by <see cref="RegexParser"/>, laid into an automaton by <see cref="RegexBuilder"/>.</summary>
internal abstract record RegexNode
{
    /// <summary>One character of a set.</summary>
    public sealed record Character(RuneSet Set) : RegexNode;

    public sealed record Sequence(IReadOnlyList<RegexNode> Items) : RegexNode;

    public sealed record Alternation(IReadOnlyList<RegexNode> Branches) : RegexNode;

    /// <summary>A place between two characters.</summary>
    public sealed record Assertion(RegexAssertion Kind) : RegexNode;

    /// <summary>A lookahead: what follows begins with a match, or does not.</summary>
    public sealed record Look(RegexNode Item, bool IsNegative) : RegexNode;

    /// <summary>A text that an automaton accepts.</summary>
    public sealed record Automaton(RuneAutomaton Texts) : RegexNode;

    /// <summary>A text of a grammar's rule.</summary>
    public sealed record Reference(string Rule) : RegexNode;

    /// <param name="Max">Null: without end.</param>
    public sealed record Repetition(RegexNode Item, int Min, int? Max) : RegexNode;
}

/// <summary>One of a pattern's outermost alternatives.</summary>
internal sealed record AnchoredBranch(RegexNode Node, bool FromStart, bool ToEnd)
{
    /// <summary>Whether the branch demands something of places, not of characters alone.</summary>
    public bool HasAssertions => Has(Node);

    private static bool Has(RegexNode node) => node switch
    {
        RegexNode.Assertion or RegexNode.Look => true,
        RegexNode.Sequence sequence => sequence.Items.Any(Has),
        RegexNode.Alternation alternation => alternation.Branches.Any(Has),
        RegexNode.Repetition repetition => Has(repetition.Item),
        _ => false,
    };
}
