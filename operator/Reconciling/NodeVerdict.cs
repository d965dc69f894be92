namespace Cluster.Operator.Reconciling;

/// <summary>What <see cref="GpuPacking"/> thinks of a node for the next replica.</summary>
/// <param name="Group">The free GPUs that the replica's would be of; null when the node cannot be taken.</param>
/// <param name="Problem">Why it cannot, in a few words; null when it can.</param>
internal sealed record NodeVerdict(GpuNode Node, GpuGroup? Group, string? Problem);
