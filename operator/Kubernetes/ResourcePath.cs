namespace Cluster.Operator.Kubernetes;

/// <summary>URL paths of the API, relative to the server:
/// <c>apis/{group}/{version}/namespaces/{ns}/{plural}/{name}/{subresource}</c>.</summary>
internal static class ResourcePath
{
    public static string Collection(ResourceDefinition definition, string? @namespace)
    {
        if (@namespace is not null && !definition.Namespaced)
        {
            throw new ArgumentException($"{definition.Kind} is cluster-scoped; namespace '{@namespace}' given", nameof(@namespace));
        }

        var root = definition.Group.Length == 0 ? $"api/{definition.Version}" : $"apis/{definition.Group}/{definition.Version}";
        return @namespace is null ? $"{root}/{definition.Plural}" : $"{root}/namespaces/{Segment(@namespace)}/{definition.Plural}";
    }

    public static string Object(ResourceDefinition definition, string? @namespace, string name, string? subresource = null)
    {
        if (@namespace is null && definition.Namespaced)
        {
            throw new ArgumentException($"{definition.Kind} '{name}' is namespaced; no namespace given", nameof(@namespace));
        }

        var path = $"{Collection(definition, @namespace)}/{Segment(name)}";
        return subresource is null ? path : $"{path}/{Segment(subresource)}";
    }

    /// <summary>A name such as <c>..</c> would be resolved by URL rules into another resource's path.</summary>
    private static string Segment(string name)
        => name is not ("" or "." or "..") && name.AsSpan().IndexOfAny('/', '%', '\\') < 0
            ? Uri.EscapeDataString(name)
            : throw new ArgumentException(
                $"'{name}' cannot be the name of an API object (empty, '.', '..', or with '/', '%' or '\\')", nameof(name));
}
