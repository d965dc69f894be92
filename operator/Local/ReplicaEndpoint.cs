namespace Cluster.Operator.Local;

/// <summary>A ready worker, as a user reaches it.</summary>
internal sealed record ReplicaEndpoint(
    string Deployment, string ServedName, string Pod, string Node, IReadOnlyList<string> Gpus, string Http, string Grpc);
