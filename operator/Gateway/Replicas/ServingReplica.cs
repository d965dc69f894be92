using Cluster.Operator.Controller;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>A worker pod as the gateway sees it.</summary>
/// <param name="Template">Hash of everything that its pod is made from: replicas of another one may have another model.</param>
/// <param name="Ready">It may get new requests.</param>
internal sealed record ServingReplica(
    ReplicaIdentity Identity, NamespacedName Pod, NamespacedName Deployment, string? Template, string? Node, Uri Http, Uri Grpc, bool Ready)
{
    public string Name => Pod.Name;
}
