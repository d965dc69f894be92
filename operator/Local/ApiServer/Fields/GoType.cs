using System.Collections.Frozen;

namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>A type of k8s.io/api. Its fields are found when they are first asked for, because types refer to themselves. Immutable; made by
/// <see cref="GoTypes"/>.</summary>
internal sealed class GoType(GoKind kind, string name, Func<FrozenDictionary<string, GoField>>? fields = null)
{
    private readonly Lazy<FrozenDictionary<string, GoField>> _fields = new(fields ?? (() => FrozenDictionary<string, GoField>.Empty));

    public GoKind Kind { get; } = kind;

    /// <summary>As Go prints it: <c>v1.Container</c>, <c>[]v1.Container</c>, <c>map[string]string</c>.</summary>
    public string Name { get; } = name;

    /// <summary>The name of a struct without its package: <c>Container</c>.</summary>
    public string StructName => Name[(Name.LastIndexOf('.') + 1)..];

    /// <summary>The type of a list's items or of a map's values.</summary>
    public GoType? Item { get; init; }

    /// <summary>Where a struct is described: <c>V1Container</c>.</summary>
    public string Member { get; init; } = "";

    /// <summary>The fields of a struct by their names in JSON, which are case-sensitive.</summary>
    public FrozenDictionary<string, GoField> Fields => _fields.Value;
}
