namespace Cluster.Architecture.Tests.Rooms;

/// <summary>A top-level folder of an assembly, and the others that its types may use.</summary>
/// <param name="Assembly">"Worker" or "Operator": the second part of the namespace.</param>
/// <param name="Name">The third part.</param>
internal sealed record Room(string Assembly, string Name, IReadOnlyList<string> MayKnow)
{
    /// <summary>The room of types without a third part: Program.cs.</summary>
    public const string Program = "";

    public override string ToString() => $"{Assembly}.{Name}";
}
