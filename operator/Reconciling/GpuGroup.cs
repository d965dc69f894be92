using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>Free GPUs of one node that may work together. What <see cref="GpuLedger.FreeGroups"/> hands out; a snapshot, valid
/// until the node's bookings change.</summary>
/// <param name="Gpus">By index; at least one.</param>
/// <param name="NodeFree">Free GPUs of the node in all its groups.</param>
internal sealed record GpuGroup(GpuNode Node, IReadOnlyList<GpuDevice> Gpus, int NodeFree)
{
    /// <summary>Best fit first: the group with the fewest GPUs, then the node with the fewest, then by name and index.</summary>
    public static Comparer<GpuGroup> BestFit { get; } = Comparer<GpuGroup>.Create((a, b) =>
        a.Gpus.Count != b.Gpus.Count ? a.Gpus.Count.CompareTo(b.Gpus.Count)
        : a.NodeFree != b.NodeFree ? a.NodeFree.CompareTo(b.NodeFree)
        : string.CompareOrdinal(a.Node.Name, b.Node.Name) is var byName and not 0 ? byName
        : a.Gpus[0].Index.CompareTo(b.Gpus[0].Index));
}
