using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>Our hold on a ModelDeployment: it stays until its pods, and with them its GPUs, are gone. Added before the first pod is
/// made.</summary>
internal sealed class Finalizer(IKubernetesClient client)
{
    /// <summary>The garbage collector's own: dependents are to be left, and only lose their owner.</summary>
    private const string Orphan = "orphan";

    public static bool IsOn(ModelDeployment deployment) => deployment.Metadata.Finalizers?.Contains(ApiNames.Finalizer) == true;

    /// <summary>Deleted with --cascade=orphan.</summary>
    public static bool LeavesDependents(ModelDeployment deployment) =>
        deployment.Metadata is { DeletionTimestamp: not null, Finalizers: { } finalizers } && finalizers.Contains(Orphan);

    public Task<ReconcileResult> AddAsync(ModelDeployment cached, CancellationToken cancellationToken) =>
        PatchAsync(cached, [.. cached.Metadata.Finalizers ?? [], ApiNames.Finalizer], cancellationToken);

    public Task<ReconcileResult> RemoveAsync(ModelDeployment cached, CancellationToken cancellationToken) =>
        PatchAsync(cached, (cached.Metadata.Finalizers ?? []).Where(f => f != ApiNames.Finalizer), cancellationToken);

    private async Task<ReconcileResult> PatchAsync(
        ModelDeployment cached, IEnumerable<string> finalizers, CancellationToken cancellationToken)
    {
        // With the version: the list replaces the whole one, so it must be the one we read.
        JsonObject metadata = new()
        {
            ["resourceVersion"] = cached.Metadata.ResourceVersion,
            ["finalizers"] = new JsonArray([.. finalizers.Select(f => (JsonNode)f)]),
        };
        try
        {
            await client.PatchAsync<ModelDeployment>(
                cached.Metadata.NamespaceProperty, cached.Metadata.Name, PatchType.Merge, new JsonObject { ["metadata"] = metadata }, null,
                cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            // Gone meanwhile; the cache will show it.
        }

        return ReconcileResult.Done;
    }
}
