namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>A resource path taken apart: <c>/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/SUBRESOURCE</c>.</summary>
/// <param name="Namespace">null for cluster-scoped kinds and for all namespaces.</param>
internal sealed record RequestPath(string Group, string Version, string? Namespace, string Plural, string? Name, string? Subresource)
{
    /// <returns>null when the path names no resource (discovery, health, nonsense).</returns>
    public static RequestPath? Parse(string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var (group, version, rest) = parts switch
        {
            ["api", var v, .. var tail] => ("", v, tail),
            ["apis", var g, var v, .. var tail] => (g, v, tail),
            _ => ("", "", []),
        };
        return rest switch
        {
            // Namespaces have subresources of their own, which read like resources in the namespace.
            ["namespaces", var name, "status" or "finalize"] => new(group, version, null, "namespaces", name, rest[2]),
            ["namespaces", var space, var plural] => new(group, version, space, plural, null, null),
            ["namespaces", var space, var plural, var name] => new(group, version, space, plural, name, null),
            ["namespaces", var space, var plural, var name, var sub] => new(group, version, space, plural, name, sub),
            [var plural] => new(group, version, null, plural, null, null),
            [var plural, var name] => new(group, version, null, plural, name, null),
            [var plural, var name, var sub] => new(group, version, null, plural, name, sub),
            _ => null,
        };
    }
}
