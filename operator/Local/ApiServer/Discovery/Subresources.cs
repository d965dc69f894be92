using Cluster.Operator.Local.ApiServer.Resources;

namespace Cluster.Operator.Local.ApiServer.Discovery;

/// <summary>One subresource as discovery lists it. <paramref name="ApiVersion"/> and <paramref name="Kind"/> are of the body it
/// speaks.</summary>
internal sealed record Subresource(string Name, string ApiVersion, string Kind, string[] Verbs)
{
    private static readonly string[] ReadWrite = ["get", "patch", "update"];

    public string Group =>
        ApiVersion.Contains('/', StringComparison.Ordinal) ? ApiVersion[..ApiVersion.IndexOf('/', StringComparison.Ordinal)] : "";

    public string Version => ApiVersion[(ApiVersion.IndexOf('/', StringComparison.Ordinal) + 1)..];

    public static IEnumerable<Subresource> Of(ResourceType type)
    {
        if (type.HasStatus)
        {
            yield return new("status", type.ApiVersion, type.Kind, ReadWrite);
        }
        if (type.Scale is not null)
        {
            yield return new("scale", "autoscaling/v1", "Scale", ReadWrite);
        }
        if (type is { Group: "", Plural: "namespaces" })
        {
            yield return new("finalize", "v1", "Namespace", ["update"]);
        }
        if (type is { Group: "", Plural: "serviceaccounts" })
        {
            yield return new("token", "authentication.k8s.io/v1", "TokenRequest", ["create"]);
        }
        if (type is { Group: "", Plural: "pods" })
        {
            yield return new("log", "v1", "Pod", ["get"]);
            yield return new("exec", "v1", "PodExecOptions", ["create", "get"]);
            yield return new("attach", "v1", "PodAttachOptions", ["create", "get"]);
            yield return new("portforward", "v1", "PodPortForwardOptions", ["create", "get"]);
            yield return new("binding", "v1", "Binding", ["create"]);
            yield return new("eviction", "policy/v1", "Eviction", ["create"]);
        }
    }
}
