using System.Text.Json.Nodes;

namespace Cluster.Operator.Kubernetes;

/// <summary>A credential plugin as a kubeconfig's <c>user.exec</c> describes it (client.authentication.k8s.io).</summary>
/// <param name="Command">Absolute, or a name to look up in PATH.</param>
/// <param name="ClusterInfo">The <c>spec.cluster</c> to tell the plugin; null unless it asked by provideClusterInfo.</param>
internal sealed record ExecPlugin(
    string ApiVersion,
    string Command,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment,
    string? InstallHint,
    JsonObject? ClusterInfo)
{
    public static IReadOnlyList<string> SupportedVersions { get; } = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
}
