using System.Text;
using Cluster.Operator.Kubernetes;
using k8s.Models;

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
            var secret = client.GetAsync<V1Secret>(@namespace, name, timeout.Token).GetAwaiter().GetResult();
            return secret.Data?.TryGetValue(key, out var value) == true ? Encoding.UTF8.GetString(value) : null;
        }
        catch (KubernetesException exception) when (exception.IsNotFound)
        {
            return null;
        }
    }
}
