using System.Text;
using System.Text.Json;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>Reads single keys of secrets when a container starts. Values are handed to the container and kept nowhere.</summary>
internal sealed class SecretReader(IKubernetesClient client)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <summary>Null when there is no such secret or key.</summary>
    public string? Read(string @namespace, string name, string key)
    {
        using var timeout = new CancellationTokenSource(Timeout);
        try
        {
            // A container is resolved on its own task, once a start: waiting here holds up nothing else.
            var secret = client.GetAsync<Secret>(@namespace, name, timeout.Token).GetAwaiter().GetResult();
            return secret.Extra?.TryGetValue("data", out var data) == true && data.ValueKind == JsonValueKind.Object && data.TryGetProperty(key, out var value)
                ? Encoding.UTF8.GetString(value.GetBytesFromBase64())
                : null;
        }
        catch (KubernetesException exception) when (exception.IsNotFound)
        {
            return null;
        }
    }
}
