using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Yaml;
using k8s.Models;

namespace Cluster.Operator.Local;

/// <summary>Installs the ModelDeployment CRD and waits until the API server serves it.</summary>
internal static class CrdInstaller
{
    private static readonly TimeSpan EstablishTimeout = TimeSpan.FromSeconds(10);

    /// <exception cref="InvalidOperationException">The API server did not establish it in time.</exception>
    public static async Task InstallAsync(IKubernetesClient client, CancellationToken cancellationToken)
    {
        var manifest = Manifest.Parse(CrdDocument.Generate(), "ModelDeployment CRD")[0].Object;
        var installed = await client.ApplyAsync<V1CustomResourceDefinition>(
            manifest, "cluster-local", force: true, subresource: null, cancellationToken);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(EstablishTimeout);
        try
        {
            while (!IsEstablished(installed))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), timeout.Token);
                installed = await client.GetAsync<V1CustomResourceDefinition>(null, installed.Metadata.Name, timeout.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException(
                $"the API server did not establish {installed.Metadata.Name} within {EstablishTimeout.TotalSeconds} s");
        }
    }

    private static bool IsEstablished(V1CustomResourceDefinition definition) =>
        definition.Status?.Conditions?.Any(condition => condition is { Type: "Established", Status: "True" }) == true;
}
