namespace Cluster.Operator.Reconciling;

/// <summary>What the operator's own configuration puts into every worker pod.</summary>
/// <param name="Image">Image of the worker container.</param>
/// <param name="RuntimeClassName">For <c>deviceAccess: RuntimeClass</c>: the RuntimeClass of AMD's container runtime.</param>
/// <param name="HubCacheHostPath">Folder on every node that keeps downloaded models across pods; null for a cache that dies with its pod.</param>
internal sealed record WorkerOptions(string Image, string RuntimeClassName = "amd", string? HubCacheHostPath = null);
