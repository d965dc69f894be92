namespace Cluster.Worker.Engine.Constraints;

/// <summary>Bounds on what a request may ask to be compiled; each is checked before anything is allocated and named when
/// exceeded.</summary>
internal static class ConstraintLimits
{
    /// <summary>Characters of a pattern, a schema or all choices together.</summary>
    public const int MaxTextLength = 1 << 20;

    /// <summary>Nodes of an automaton.</summary>
    public const int MaxNodes = 200_000;

    /// <summary>Edges of an automaton; alternatives of single characters have no nodes of their own.</summary>
    public const int MaxEdges = 2_000_000;

    /// <summary>States of an automaton over characters, which is made where several things must hold at once.</summary>
    public const int MaxRuneStates = 20_000;

    /// <summary>Nodes and ranges looked at to make one of them: a fraction of a second.</summary>
    public const int MaxRuneWork = 20_000_000;

    /// <summary>Rules of a grammar, and alternatives of one after left recursion is taken out.</summary>
    public const int MaxRules = 4096;

    /// <summary>How deep the rules of a grammar may nest in the output; a level of what is described takes several.</summary>
    public const int MaxGrammarDepth = 256;

    /// <summary>Values of one <c>enum</c>, or choices.</summary>
    public const int MaxAlternatives = 4096;

    /// <summary>Branches of one <c>anyOf</c>, <c>oneOf</c> or <c>allOf</c>.</summary>
    public const int MaxBranches = 256;

    /// <summary>Properties of one object.</summary>
    public const int MaxProperties = 1024;

    /// <summary>Characters of a property's name.</summary>
    public const int MaxPropertyName = 256;

    /// <summary>Bounds of a quantifier and of <c>minItems</c> and <c>maxItems</c>.</summary>
    public const int MaxRepeats = 1024;

    /// <summary><c>minLength</c> and <c>maxLength</c>.</summary>
    public const int MaxStringLength = 8192;

    /// <summary>Groups inside groups of a pattern; schemas inside schemas, references followed.</summary>
    public const int MaxNesting = 64;

    /// <summary>How deep recursion may nest in the output: rules that wait for another one to end.</summary>
    public const int MaxDepth = 32;

    /// <summary>Ways to read the output so far that one state may hold.</summary>
    public const int MaxConfigurations = 4096;

    /// <summary>States a constraint remembers before it forgets all and starts over.</summary>
    public const int MaxStates = 8192;

    /// <summary>Bytes that states and masks of a constraint take together, likewise.</summary>
    public const long MaxBytes = 16 << 20;

    /// <summary>Ways to read the output looked at for one mask, which is made between two steps of the engine: a fraction of a
    /// second.</summary>
    public const int MaxWork = 2_000_000;

    /// <summary>Constraints an engine remembers.</summary>
    public const int MaxConstraints = 32;
}
