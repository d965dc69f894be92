namespace Cluster.Operator.Gateway.Page.Views;

/// <summary>What a GPU is to the page.</summary>
internal enum GpuState
{
    Free,

    /// <summary>Its replica answers requests.</summary>
    Serving,

    /// <summary>Its replica is on its way: it is being scheduled, downloads, or loads.</summary>
    Starting,

    /// <summary>Its replica finishes what it has and ends.</summary>
    Ending,

    /// <summary>Something is wrong with its replica.</summary>
    Failing,

    /// <summary>It computed wrong results and is given to nobody.</summary>
    Marked,

    /// <summary>Its node's kubelet has it no more.</summary>
    Unhealthy,
}

/// <summary>One GPU as a tile.</summary>
/// <param name="Name">Such as "MI300X"; the PCI device id where the name is not known.</param>
/// <param name="Replica">namespace/pod that holds it; null where nobody does, or a whole node's holder.</param>
/// <param name="Deployment">namespace/name of the replica's deployment.</param>
/// <param name="Words">Its state in a sentence.</param>
internal sealed record GpuView(
    int Index, string? Uuid, string Name, long? VramBytes, string? Partition, int? NumaNode, GpuState State, string? Replica,
    string? Deployment, string Words);

/// <summary>GPUs that XGMI links, or that nothing links.</summary>
/// <param name="Id">As the driver tells it; null for GPUs that are in none.</param>
internal sealed record HiveView(string? Id, IReadOnlyList<GpuView> Gpus);
