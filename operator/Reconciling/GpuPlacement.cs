using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>The GPUs chosen for one replica.</summary>
/// <param name="Gpus">In ascending order of index; rank r runs on the r-th.</param>
/// <param name="NodeGpuCount">How many GPUs the node has in all.</param>
/// <param name="UuidsAreUnique">No two GPUs of the node report the same UUID (CPX partitions did before ROCm 7.0.1).</param>
internal sealed record GpuPlacement(string Node, IReadOnlyList<GpuDevice> Gpus, int NodeGpuCount, bool UuidsAreUnique)
{
    /// <summary>UUID tokens ROCr can match: <c>GPU-</c> and 16 hex digits.</summary>
    private const int UuidLength = 20;

    /// <summary>Whether the pod may name its GPUs by UUID. One unknown token makes ROCr drop it and all that follow, so it is all or
    /// none.</summary>
    public bool HasUuids => UuidsAreUnique && Gpus.All(g => g.Uuid is { Length: UuidLength });

    /// <summary>By which the node's kubelet knows them, where its node agent offers them.</summary>
    public IEnumerable<string> Resources => Gpus.Select(g => GpuResource.NameOf(g, UuidsAreUnique));

    public IEnumerable<int> Indices => Gpus.Select(g => g.Index);
}
