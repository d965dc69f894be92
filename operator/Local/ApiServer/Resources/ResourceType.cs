using Cluster.Operator.Local.ApiServer.Tables;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>Where a kind keeps what its scale subresource shows: JSON paths without the leading dot.</summary>
internal sealed record ScalePaths(string[] SpecReplicas, string[] StatusReplicas, string[]? LabelSelector);

/// <summary>One kind in one version: how it is named, stored, merged, checked and shown. Immutable; listed by
/// <see cref="ResourceRegistry"/>.</summary>
internal sealed class ResourceType
{
    private static readonly string[] EveryVerb = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    public required string Group { get; init; }

    public required string Version { get; init; }

    public required string Kind { get; init; }

    public required string Plural { get; init; }

    public string Singular { get; init; } = "";

    public string ListKind => _listKind ?? $"{Kind}List";

    public string? CustomListKind
    {
        init => _listKind = value;
    }

    private readonly string? _listKind;

    public bool Namespaced { get; init; } = true;

    public IReadOnlyList<string> ShortNames { get; init; } = [];

    public IReadOnlyList<string> Categories { get; init; } = [];

    public bool HasStatus { get; init; }

    public ScalePaths? Scale { get; init; }

    /// <summary>Whether metadata.generation counts changes outside metadata and status.</summary>
    public bool TracksGeneration { get; init; }

    /// <summary>Merge rules, for server-side apply and strategic merge.</summary>
    public FieldShape Shape { get; init; } = CoreShapes.Plain;

    /// <summary>null for built-in kinds: they are stored as they come.</summary>
    public StructuralSchema? Schema { get; init; }

    public IReadOnlyList<TableColumn> Columns { get; init; } = StandardColumns.NameAndAge;

    /// <summary>Field selectors beyond metadata.name and metadata.namespace.</summary>
    public IReadOnlyList<string> SelectableFields { get; init; } = [];

    public ResourceStrategy Strategy { get; init; } = new();

    /// <summary>Kinds that exist only as an answer to a POST (access reviews) are never stored.</summary>
    public bool IsReview { get; init; }

    /// <summary>Said to whoever creates one; null for nothing.</summary>
    public string? Notice { get; init; }

    /// <summary>Why none can be created; null where that is possible.</summary>
    public string? Refusal { get; init; }

    /// <summary>Whether field validation, JSON and merge patch treat it as a custom resource (no strategic merge).</summary>
    public bool IsCustom => Schema is not null;

    /// <summary>Where objects of every version of the kind are kept.</summary>
    public string Collection => $"{Group}/{Plural}";

    public KindName Named => new(Group, Version, Kind);

    public string ApiVersion => Named.ApiVersion;

    /// <summary>As error messages name it: <c>pods</c>, <c>deployments.apps</c>.</summary>
    public string QualifiedPlural => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    public IReadOnlyList<string> Verbs => IsReview ? ["create"] : EveryVerb;
}
