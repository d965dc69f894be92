namespace Cluster.Worker.Engine.Constraints;

/// <summary>What a pattern can demand of a place between two characters.</summary>
internal enum RegexAssertion
{
    /// <summary><c>^</c></summary>
    Start,

    /// <summary><c>$</c></summary>
    End,

    /// <summary><c>\b</c></summary>
    Boundary,

    /// <summary><c>\B</c></summary>
    NoBoundary,
}
