using System.Collections.Concurrent;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>Finds the HorizontalPodAutoscaler that targets a deployment which the operator scales itself: its writes of
/// <c>spec.replicas</c> are refused by the schema, and whoever made it should know why. Called by
/// <see cref="ModelDeploymentReconciler"/>.</summary>
internal sealed class ForeignAutoscalers(IKubernetesClient client, TimeProvider time)
{
    /// <summary>How soon a namespace is looked at again.</summary>
    public static readonly TimeSpan Recheck = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, (long At, IReadOnlyList<V2HorizontalPodAutoscaler> All)> _known = new(
        StringComparer.Ordinal);

    /// <returns>Its name; null where there is none, or nobody may look.</returns>
    public async Task<string?> FindAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        var @namespace = deployment.Metadata.NamespaceProperty ?? "";
        if (!_known.TryGetValue(@namespace, out var known) || time.GetElapsedTime(known.At) >= Recheck)
        {
            known = (time.GetTimestamp(), await ListAsync(@namespace, cancellationToken));
            _known[@namespace] = known;
        }

        return known.All
            .Where(a => a.Spec?.ScaleTargetRef is { Kind: ApiNames.Kind } target
                && target.Name == deployment.Metadata.Name
                && target.ApiVersion?.StartsWith(ApiNames.Group + "/", StringComparison.Ordinal) == true)
            .Select(a => a.Metadata.Name).Order(StringComparer.Ordinal).FirstOrDefault();
    }

    private async Task<IReadOnlyList<V2HorizontalPodAutoscaler>> ListAsync(string @namespace, CancellationToken cancellationToken)
    {
        try
        {
            return (await client.ListAsync<V2HorizontalPodAutoscaler>(@namespace, null, cancellationToken)).Items;
        }
        catch (KubernetesException e) when (e.IsRefusal || e.IsNotFound)
        {
            return []; // It is only advice.
        }
    }
}
