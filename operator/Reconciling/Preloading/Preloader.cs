using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling.Preloading;

/// <summary>Fills the caches of nodes before pods that serve are made there, for <c>spec.model.preload</c>. Called by
/// <see cref="ModelDeploymentReconciler"/>; decides through <see cref="PreloadPlan"/>.</summary>
internal sealed class Preloader
{
    private const string Index = "preload";

    private readonly IKubernetesClient _client;
    private readonly ObjectStore<V1Pod> _pods;
    private readonly Func<IReadOnlyList<GpuNode>> _nodes;

    /// <param name="pods">The operator's cache, to which this adds an index.</param>
    /// <param name="nodes">Every node as it is now.</param>
    public Preloader(IKubernetesClient client, ObjectStore<V1Pod> pods, Func<IReadOnlyList<GpuNode>> nodes)
    {
        (_client, _pods, _nodes) = (client, pods, nodes);
        _pods.AddIndex(Index, pod => DeploymentOf(pod) is { } deployment ? [deployment.ToString()] : []);
    }

    /// <summary>The deployment whose caches a pod fills; null for other pods.</summary>
    public static NamespacedName? DeploymentOf(V1Pod pod) =>
        pod.Metadata.Labels?.TryGetValue(PreloadPod.Label, out var name) == true
            ? new NamespacedName(pod.Metadata.NamespaceProperty ?? "", name)
            : null;

    /// <summary>Makes the pods that are missing, and removes those of another model. Without <c>preload</c> there shall be none.</summary>
    /// <param name="isRollingOut">Pods of another template serve: they go on until every cache is filled.</param>
    /// <returns>Null where nothing is asked for.</returns>
    /// <exception cref="InvalidModelDeploymentException">There is no cache that could be filled.</exception>
    public async Task<CacheFilling?> ApplyAsync(
        ModelDeployment deployment, WorkerTemplate template, bool isRollingOut, CancellationToken cancellationToken)
    {
        List<Replica> pods = [.. _pods.ByIndex(Index, NamespacedName.Of(deployment).ToString()).Select(pod => Replica.Of(pod))];
        if (deployment.Spec.Model.Preload != true)
        {
            await DeleteAsync(pods.Where(p => !p.Terminating), cancellationToken);
            return null;
        }

        var spec = PreloadPod.Template(deployment, template);
        var isShared = PreloadPod.IsShared(spec);
        var plan = PreloadPlan.Decide(
            isShared ? [PreloadPod.Shared] : TargetsOf(_nodes(), deployment.Spec.Gpu, template.Requirements), pods,
            PreloadPod.HashOf(spec));
        await DeleteAsync(plan.Delete, cancellationToken);
        var refused = await CreateAsync(deployment, spec, plan.Create, cancellationToken);
        var choosesNodes = deployment.Spec.Gpu.Allocation == GpuAllocation.Pinned && !isShared;
        return new CacheFilling(plan.Nodes, refused)
        {
            HoldsUp = plan.Nodes.Count > 0
                && (plan.Done == 0 || (plan.IsWorking && (isRollingOut || !choosesNodes))),
            Unfilled = choosesNodes
                ? plan.Nodes.Where(n => n.State != PreloadState.Done).Select(n => n.Node).ToHashSet(StringComparer.Ordinal)
                : new HashSet<string>(),
        };
    }

    /// <summary>The nodes that pods may go to now: one that is away or cordoned is filled when it is back.</summary>
    public static IReadOnlyList<string> TargetsOf(IEnumerable<GpuNode> nodes, GpuSpec gpu, PodRequirements requirements) =>
        [.. nodes.Where(n => requirements.Refusal(n.Node) is null && HasGpus(n, gpu)).Select(n => n.Name)];

    private static bool HasGpus(GpuNode node, GpuSpec gpu) => gpu.Allocation switch
    {
        GpuAllocation.Pinned => node.Gpus.Count > 0,
        GpuAllocation.DevicePlugin =>
            node.Node.Status?.Allocatable?.TryGetValue(gpu.ResourceName, out var count) == true && count.ToString() != "0",
        _ => true,
    };

    private async Task DeleteAsync(IEnumerable<Replica> pods, CancellationToken cancellationToken)
    {
        foreach (var pod in pods)
        {
            try
            {
                await _client.DeleteAsync<V1Pod>(
                    pod.Pod.Metadata.NamespaceProperty, pod.Name, pod.Uid, gracePeriodSeconds: null, cancellationToken);
            }
            catch (KubernetesException e) when (e.IsNotFound || e.IsConflict)
            {
                // Gone, or another one by now.
            }
        }
    }

    /// <returns>Why no pod may be made; null when all were.</returns>
    private async Task<string?> CreateAsync(
        ModelDeployment deployment, JsonObject spec, IReadOnlyList<string> targets, CancellationToken cancellationToken)
    {
        foreach (var target in targets)
        {
            var manifest = PreloadPod.Build(deployment, spec, target);
            try
            {
                await _client.CreateAsync<V1Pod>(manifest, cancellationToken);
            }
            catch (KubernetesException e) when (e.IsAlreadyExists)
            {
                // Made before; the cache will show it.
            }
            catch (KubernetesException e) when (Refusal.Stands(e))
            {
                return StableText.Of(e.Message, []) + ImageVolumes.Explain(e.Message, spec);
            }
        }

        return null;
    }
}
