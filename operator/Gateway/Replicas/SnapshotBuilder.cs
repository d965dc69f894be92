using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>Makes a <see cref="RoutingSnapshot"/> from what the API server has. Pure.</summary>
internal static class SnapshotBuilder
{
    /// <param name="slots">Requests in work at one replica; null goes by its engine's <c>maxNumSeqs</c>.</param>
    public static RoutingSnapshot Build(
        IEnumerable<ModelDeployment> deployments, IEnumerable<V1Pod> pods, byte[] masterKey, int? slots)
    {
        var owned = pods.ToLookup(pod => pod.Metadata.OwnerReferences?.FirstOrDefault(owner => owner.Controller == true)?.Uid);
        return new RoutingSnapshot(deployments
            .Where(deployment => deployment.Metadata.DeletionTimestamp is null)
            .Select(deployment => Read(deployment, owned[deployment.Metadata.Uid], masterKey, slots)));
    }

    private static ServingDeployment Read(ModelDeployment deployment, IEnumerable<V1Pod> pods, byte[] masterKey, int? slots)
    {
        var name = NamespacedName.Of(deployment);
        return new ServingDeployment(
            name,
            deployment.ServedName(),
            GatewayKey.Derive(masterKey, name.Namespace, name.Name, deployment.Metadata.Uid),
            deployment.Spec.Routing?.Weight,
            IsWaking: deployment.Spec.Replicas > 0 || deployment.Spec.Autoscaling is not null,
            IsIdle: deployment.Spec.Autoscaling is not null && (deployment.Status?.Autoscaling?.DesiredReplicas ?? 0) == 0,
            slots ?? deployment.Spec.Engine?.MaxNumSeqs ?? WorkerFlags.DefaultMaxNumSeqs,
            IsolatesCache(deployment.Spec.Engine?.ExtraArgs ?? []),
            Trouble(deployment),
            deployment.Metadata.CreationTimestamp ?? DateTimeOffset.UnixEpoch,
            [.. pods.Where(pod => pod.Status?.PodIP is { Length: > 0 })
                .Select(pod => Read(pod, name))
                .OrderBy(replica => replica.Name, StringComparer.Ordinal)]);
    }

    private static ServingReplica Read(V1Pod pod, NamespacedName deployment)
    {
        var seen = Replica.Of(pod);
        return new ServingReplica(
            new ReplicaIdentity(
                pod.Metadata.Uid, pod.Status.ContainerStatuses?.Sum(container => container.RestartCount) ?? 0),
            NamespacedName.Of(pod),
            deployment,
            seen.TemplateHash,
            seen.Node,
            new UriBuilder("http", pod.Status.PodIP, WorkerFlags.DefaultHttpPort).Uri,
            new UriBuilder("http", pod.Status.PodIP, WorkerFlags.DefaultGrpcPort).Uri,
            seen.Ready);
    }

    /// <summary>As one argument or two; the last one counts.</summary>
    private static bool IsolatesCache(List<string> arguments)
    {
        const string Flag = "--cache-isolation";
        var isolates = false;
        for (var i = 0; i < arguments.Count; i++)
        {
            isolates = arguments[i] == Flag ? i + 1 < arguments.Count && arguments[i + 1] == "key"
                : arguments[i].StartsWith(Flag + "=", StringComparison.Ordinal) ? arguments[i].EndsWith("=key", StringComparison.Ordinal)
                : isolates;
        }

        return isolates;
    }

    private static string Trouble(ModelDeployment deployment)
    {
        var wrong = (deployment.Status?.Conditions ?? [])
            .Where(condition => condition.Status == (condition.Type == "Degraded" ? "True" : "False"))
            .Where(condition => !string.IsNullOrEmpty(condition.Message))
            .Select(condition => $"{condition.Type}: {condition.Message}");
        return string.Join("; ", wrong);
    }
}
