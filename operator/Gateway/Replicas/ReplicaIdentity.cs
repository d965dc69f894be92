namespace Cluster.Operator.Gateway.Replicas;

/// <summary>One life of a worker: a container that was restarted has lost everything it knew, and may work where the one before did
/// not.</summary>
internal readonly record struct ReplicaIdentity(string Uid, int Restarts);
