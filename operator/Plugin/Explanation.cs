using System.Text.Json.Serialization;

namespace Cluster.Operator.Plugin;

/// <summary>Why a deployment's replicas are where they are, and why others are not: what <see cref="Explainer"/> found, as
/// <c>kubectl mdep explain -o json</c> prints it. <see cref="ExplanationText"/> says it in words.</summary>
internal sealed record Explanation
{
    public required string Namespace { get; init; }

    public required string Name { get; init; }

    /// <summary>Replicas wanted.</summary>
    public required int Replicas { get; init; }

    public required int ReadyReplicas { get; init; }

    /// <summary>GPUs per replica; null while auto is undecided.</summary>
    public int? TensorParallelSize { get; init; }

    /// <summary><c>Pinned</c>, <c>DevicePlugin</c> or <c>ResourceClaim</c>.</summary>
    public required string Allocation { get; init; }

    /// <summary>Why no pod can be made from the spec; nothing below is known then.</summary>
    public string? Invalid { get; init; }

    public MemoryAccount? Memory { get; init; }

    public IReadOnlyList<PodAccount> Pods { get; init; } = [];

    /// <summary>Replicas that are wanted and have no pod; null when there are none.</summary>
    public MissingAccount? Missing { get; init; }

    /// <summary>Nodes with GPUs, in the order in which the next replica would take them.</summary>
    public IReadOnlyList<NodeAccount> Nodes { get; init; } = [];

    /// <summary>Replicas that would fit by GPUs per replica, if this deployment began anew.</summary>
    public IReadOnlyList<DegreeAccount> WouldFit { get; init; } = [];

    /// <summary>What the operator does next, in its order.</summary>
    public IReadOnlyList<string> Next { get; init; } = [];

    public WhatIfAccount? WhatIf { get; init; }
}

/// <summary>Memory of the model on the GPUs.</summary>
/// <param name="Message">In a sentence.</param>
/// <param name="Fits">Null where it is not known.</param>
/// <param name="WeightBytesPerGpu">At the present degree, where it was chosen by the operator.</param>
/// <param name="KvCacheTokens">Tokens that the cache of a replica holds at the present degree.</param>
internal sealed record MemoryAccount(
    string Message, bool? Fits, string? Model, string? ConfiguredBy, long? WeightBytes, long? WeightBytesPerGpu, long? KvBytesPerToken,
    long? VramBytesPerGpu, long? KvCacheTokens);

/// <summary>One pod.</summary>
/// <param name="State"><c>ready</c>, <c>starting</c>, <c>ending</c>, <c>outdated</c>, or what is wrong with it.</param>
/// <param name="NumaNodes">Of its GPUs, where known.</param>
/// <param name="Hives">XGMI hives of its GPUs, where known.</param>
/// <param name="Why">Sentences.</param>
internal sealed record PodAccount(
    string Pod, string? Node, IReadOnlyList<int> Gpus, IReadOnlyList<string> Uuids, IReadOnlyList<int> NumaNodes,
    IReadOnlyList<string> Hives, bool Ready, string State, IReadOnlyList<string> Why);

internal sealed record MissingAccount(int Replicas, string Reason, string Message);

/// <summary>One node.</summary>
/// <param name="Takes">GPUs that the next replica would get there; null when it would not go there.</param>
/// <param name="Verdict">Why it would, or would not, in a few words.</param>
/// <param name="Holders">Pods that hold its GPUs, of whatever deployment, as <c>namespace/name</c>.</param>
internal sealed record NodeAccount(
    string Node, int Gpus, int Free, IReadOnlyList<int>? Takes, string Verdict, IReadOnlyList<string> Holders);

/// <summary>One degree of tensor parallelism.</summary>
/// <param name="MemoryFits">Null where the model's memory is not known.</param>
/// <param name="MissingBytesPerGpu">Where it does not fit.</param>
internal sealed record DegreeAccount(
    int TensorParallelSize, int Replicas, bool? MemoryFits, long? MissingBytesPerGpu, long? KvCacheTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool IsPresent);

/// <summary>What would be if the spec were changed.</summary>
/// <param name="Changes">Such as <c>replicas: 2 → 4</c>.</param>
/// <param name="Invalid">Why the changed spec would be refused.</param>
/// <param name="ReplacesPods">The change makes every pod anew.</param>
/// <param name="Fits">Replicas that would have GPUs in the end.</param>
/// <param name="Placements">Where they would be.</param>
/// <param name="Shortage">Why not all would.</param>
/// <param name="Steps">What the operator would do at once.</param>
internal sealed record WhatIfAccount(
    IReadOnlyList<string> Changes, string? Invalid, bool ReplacesPods, int Replicas, int? TensorParallelSize, int Fits,
    IReadOnlyList<PlacementAccount> Placements, MissingAccount? Shortage, MemoryAccount? Memory, IReadOnlyList<string> Steps);

/// <param name="Pod">Null for one that would be made.</param>
internal sealed record PlacementAccount(string? Pod, string? Node, IReadOnlyList<int> Gpus);
