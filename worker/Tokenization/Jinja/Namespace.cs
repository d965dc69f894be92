namespace Cluster.Worker.Tokenization.Jinja;

/// <summary><c>namespace(…)</c>: attributes a loop body can set for the code after the loop.</summary>
internal sealed class Namespace
{
    public Dictionary<string, object?> Attributes { get; } = new(StringComparer.Ordinal);
}
