using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps the ResourceClaimTemplate that pods of a deployment with <c>gpu.allocation: ResourceClaim</c> refer to, and from which
/// Kubernetes makes a claim for each of them. Called by <see cref="ModelDeploymentReconciler"/>.</summary>
/// <remarks>A template cannot be changed, and pods of two degrees live side by side during a rollout: there is one for each degree, and the
/// deployment owns them all. There is no cache of templates, because clusters before Kubernetes 1.34 have no such kind to watch: they are
/// asked for where a deployment wants one and has pods to wait for.</remarks>
internal sealed class GpuClaim(IKubernetesClient client)
{
    /// <summary>Of the claim in the pod, and of the request in the claim.</summary>
    public const string Name = "gpus";

    /// <summary>AMD's DRA driver makes it.</summary>
    private const string DeviceClass = "gpu.amd.com";

    private readonly OwnedObjects<V1ResourceClaimTemplate> _owned = new(
        client, new ObjectStore<V1ResourceClaimTemplate>(), metadata => metadata.ResourceVersion);

    // The template that a deployment has, as far as we know.
    private readonly ConcurrentDictionary<NamespacedName, (string? Owner, string Template)> _known = new();

    /// <summary>Does nothing for a deployment whose pods claim nothing.</summary>
    /// <param name="isSettled">All its pods are there, ready and of this template: nobody needs to be asked whether it is still
    /// there.</param>
    /// <exception cref="InvalidModelDeploymentException">A template of that name exists and is somebody else's, or the cluster knows
    /// no templates.</exception>
    public async Task ApplyAsync(ModelDeployment deployment, bool isSettled, CancellationToken cancellationToken)
    {
        var key = NamespacedName.Of(deployment);
        var wanted = (deployment.Metadata.Uid, TemplateNameOf(deployment));
        if (deployment.Spec.Gpu.Allocation != GpuAllocation.ResourceClaim
            || (isSettled && _known.TryGetValue(key, out var known) && known == wanted))
        {
            return;
        }

        try
        {
            await _owned.ApplyAsync(deployment, Manifest(deployment), cancellationToken);
            _known[key] = wanted;
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            throw new InvalidModelDeploymentException(
                "spec.gpu.allocation: ResourceClaim needs the API resource.k8s.io/v1 (Kubernetes 1.34 or newer), which this cluster does "
                + "not have", e);
        }
    }

    /// <summary>The deployment is gone.</summary>
    public void Forget(NamespacedName key) => _known.TryRemove(key, out _);

    public static string TemplateNameOf(ModelDeployment deployment) =>
        $"{deployment.Metadata.Name}-gpus-{deployment.Spec.TensorParallelSize.Degree.ToString(CultureInfo.InvariantCulture)}";

    public static JsonObject Manifest(ModelDeployment deployment) =>
        OwnedObjects<V1ResourceClaimTemplate>.Manifest(deployment, TemplateNameOf(deployment), new JsonObject
        {
            ["spec"] = new JsonObject
            {
                ["devices"] = new JsonObject
                {
                    ["requests"] = new JsonArray(new JsonObject
                    {
                        ["name"] = Name,
                        ["exactly"] = new JsonObject
                        {
                            ["deviceClassName"] = DeviceClass,
                            ["allocationMode"] = "ExactCount",
                            ["count"] = deployment.Spec.TensorParallelSize.Degree,
                        },
                    }),
                },
            },
        });
}
