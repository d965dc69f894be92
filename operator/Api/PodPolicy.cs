namespace Cluster.Operator.Api;

/// <summary>What whoever may create a ModelDeployment gets: the privileges that podTemplates may use, and the folders of nodes that
/// <c>file://</c> sources may be in. Decided by who runs the operator; nothing by default.</summary>
internal sealed record PodPolicy
{
    public static PodPolicy None { get; } = new();

    /// <summary>Privileges that podTemplates may use.</summary>
    public IReadOnlyCollection<PodPrivilege> Allowed { get; init; } = [];

    /// <summary>Folders of nodes in which models and caches may be: absolute, without a slash at the end; <c>/</c> is every
    /// folder.</summary>
    public IReadOnlyList<string> ModelPathPrefixes { get; init; } = [];

    public bool Allows(PodPrivilege privilege) => Allowed.Contains(privilege);

    /// <param name="field">Such as <c>spec.model.source</c>.</param>
    /// <returns>Null when the source is no folder of a node, or one that may be used.</returns>
    public ValidationError? CheckSource(string field, string? source)
    {
        if (!ModelSource.TryParse(source, out var parsed, out _)
            || parsed is not ModelSource.File file
            || ModelPathPrefixes.Any(prefix => IsIn(file.Path, prefix)))
        {
            return null;
        }

        var allowed = ModelPathPrefixes.Count == 0
            ? "this operator lets models be in no folder of a node"
            : $"this operator lets models be in {string.Join(", ", ModelPathPrefixes)}";
        return new ValidationError(
            field, ValidationReason.Forbidden,
            $"'{source}' is a folder of the node, and {allowed} (--model-path-prefix, Helm value podTemplate.modelPathPrefixes); use hf:// "
            + "or pvc://");
    }

    /// <summary>That a privilege is missing, and what it would be.</summary>
    public static ValidationError Missing(string field, PodPrivilege privilege) => new(
        field, ValidationReason.Forbidden,
        $"needs the privilege {privilege.Name}, which this operator does not give to podTemplates ({privilege.Grants}; "
        + $"--pod-template-allow {privilege.Name}, Helm value podTemplate.allow)");

    private static bool IsIn(string path, string prefix) =>
        prefix == "/" || path == prefix || path.StartsWith(prefix + "/", StringComparison.Ordinal);
}
