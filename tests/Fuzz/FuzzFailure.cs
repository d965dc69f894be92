namespace Cluster.Fuzz;

/// <summary>An input was taken, but what came of it is wrong.</summary>
/// <param name="property">What does not hold: failures of the same property count as one.</param>
/// <param name="detail">How it shows.</param>
internal sealed class FuzzFailure(string property, string detail) : Exception($"{property}: {detail}")
{
    public string Property { get; } = property;
}
