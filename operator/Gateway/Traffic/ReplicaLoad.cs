namespace Cluster.Operator.Gateway.Traffic;

/// <summary>What a replica's metrics say of it at a moment.</summary>
/// <param name="Running">Requests that it computes.</param>
/// <param name="Waiting">Requests in its queue.</param>
/// <param name="KvUsage">Share of its KV blocks that are in use, 0 to 1.</param>
/// <param name="PrefixQueries">Tokens looked up in its prefix cache since it started.</param>
/// <param name="PrefixHits">Tokens of these that were found.</param>
internal sealed record ReplicaLoad(int Running, int Waiting, double KvUsage, long PrefixQueries, long PrefixHits);
