using Cluster.Operator.Controller;

namespace Cluster.Operator.Gateway.Traffic;

/// <summary>Traffic from a slot on, in columns: element i of every list is about slot <c>FirstSlot + i</c>.</summary>
/// <param name="FirstSlot">Number of the first slot; slots are counted since the gateway started.</param>
/// <param name="SlotSeconds">How long a slot is.</param>
/// <param name="Until">When this was read: somewhere in the last slot.</param>
/// <param name="LastSlotSeconds">How much of the last slot has passed.</param>
/// <param name="Running">Requests that have come and not ended.</param>
internal sealed record TrafficSnapshot(
    long FirstSlot,
    double SlotSeconds,
    DateTimeOffset Until,
    double LastSlotSeconds,
    int Running,
    TrafficSeries Total,
    IReadOnlyList<DeploymentTraffic> Deployments,
    IReadOnlyList<ReplicaTraffic> Replicas);

internal sealed record DeploymentTraffic(NamespacedName Deployment, int Running, TrafficSeries Series);

/// <summary>Counts a slot, and percentiles in milliseconds, null where nothing ended in the slot.</summary>
internal sealed record TrafficSeries(
    IReadOnlyList<int> Started,
    IReadOnlyList<int> Completed,
    IReadOnlyList<int> Refused,
    IReadOnlyList<int> Moved,
    IReadOnlyList<long> Tokens,
    IReadOnlyList<long> PromptTokens,
    IReadOnlyList<long> CachedTokens,
    Percentiles Ttft,
    Percentiles Tpot);

internal sealed record Percentiles(IReadOnlyList<double?> P50, IReadOnlyList<double?> P90, IReadOnlyList<double?> P99);

/// <param name="Load">As last read; null where it never was.</param>
/// <param name="Tokens">Generated in the slot.</param>
/// <param name="Running">Requests that it computed, as last read in the slot.</param>
/// <param name="KvUsage">0 to 1, as last read in the slot.</param>
/// <param name="PrefixHitRate">Tokens found of those looked up in the prefix cache, 0 to 1; null in a slot that looked up none.</param>
internal sealed record ReplicaTraffic(
    NamespacedName Replica,
    ReplicaLoad? Load,
    IReadOnlyList<long> Tokens,
    IReadOnlyList<int?> Running,
    IReadOnlyList<double?> KvUsage,
    IReadOnlyList<double?> PrefixHitRate);
