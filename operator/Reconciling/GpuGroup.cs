using System.Numerics;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>Free GPUs of one node that may work together. What <see cref="GpuLedger.FreeGroups"/> hands out; a snapshot, valid
/// until the node's bookings change.</summary>
/// <param name="Gpus">By index; at least one.</param>
/// <param name="NodeFree">Free GPUs of the node in all its groups.</param>
internal sealed record GpuGroup(GpuNode Node, IReadOnlyList<GpuDevice> Gpus, int NodeFree)
{
    /// <summary>The smallest class first, then the group with the smallest NUMA node, with the fewest GPUs, of the node with the
    /// fewest; then by name and index.</summary>
    public static Comparer<GpuGroup> BestFit { get; } = Comparer<GpuGroup>.Create((a, b) =>
        a.Class != b.Class ? a.Class.CompareTo(b.Class)
        : a.LargestNumaNode != b.LargestNumaNode ? a.LargestNumaNode.CompareTo(b.LargestNumaNode)
        : a.Size != b.Size ? a.Size.CompareTo(b.Size)
        : a.NodeFree != b.NodeFree ? a.NodeFree.CompareTo(b.NodeFree)
        : string.CompareOrdinal(a.Node.Name, b.Node.Name) is var byName and not 0 ? byName
        : a.Gpus[0].Index.CompareTo(b.Gpus[0].Index));

    public int Size { get; private init; } = Gpus.Count;

    /// <summary>Logarithm of the largest power of two of GPUs that fits: what is lost when the group is broken.</summary>
    public int Class { get; private init; } = ClassOf(Gpus.Count);

    /// <summary>Most GPUs of the group that are on one NUMA node.</summary>
    public int LargestNumaNode { get; private init; } = Gpus.GroupBy(g => g.NumaNode).Max(g => g.Count());

    public static int ClassOf(int size) => BitOperations.Log2((uint)size);

    /// <summary>What sorts before every group of this class whose largest NUMA node has so many GPUs or more; a mark, no group.</summary>
    public GpuGroup Mark(int ofClass, int largestNumaNode) => this with { Class = ofClass, LargestNumaNode = largestNumaNode, Size = -1 };
}
