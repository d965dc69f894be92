namespace Cluster.Worker.Engine.Constraints.Grammars;

/// <summary>A context-free grammar: its rules by name, and the one to begin with. Parsed by <see cref="GbnfParser"/> and
/// <see cref="LarkParser"/>, laid by <see cref="GrammarBuilder"/>.</summary>
internal sealed record Grammar(IReadOnlyDictionary<string, RegexNode> Rules, string Start);
