using Cluster.Operator.Controller;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>A ModelDeployment as the gateway sees it.</summary>
/// <param name="Key">What its workers know the gateway by.</param>
/// <param name="Weight">Its share of the requests for its served name, relative to others of that name; null goes by its ready
/// replicas.</param>
/// <param name="IsWaking">Replicas are wanted, or will be as soon as somebody asks for them.</param>
/// <param name="IsIdle">No replica is wanted until somebody asks for the model.</param>
/// <param name="SlotsPerReplica">Requests that one replica may have in work.</param>
/// <param name="IsolatesCache">Its workers share cached prefixes only between requests of the same API key.</param>
/// <param name="Trouble">Why it is not ready, in the words of its conditions; empty when it is.</param>
/// <param name="Replicas">Those with an address, by name.</param>
internal sealed record ServingDeployment(
    NamespacedName Name,
    string ServedName,
    string Key,
    int? Weight,
    bool IsWaking,
    bool IsIdle,
    int SlotsPerReplica,
    bool IsolatesCache,
    string Trouble,
    DateTimeOffset Created,
    IReadOnlyList<ServingReplica> Replicas)
{
    public int ReadyReplicas => Replicas.Count(replica => replica.Ready);

    /// <summary>One word for lists: ready, idle, starting or stopped.</summary>
    public string State => ReadyReplicas > 0 ? "ready" : IsIdle ? "idle" : IsWaking ? "starting" : "stopped";
}
