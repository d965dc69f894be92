namespace Cluster.Operator.Gateway.Page;

internal enum KillOutcome
{
    Killed,

    /// <summary>No such pod runs here.</summary>
    Unknown,

    /// <summary>It is between two runs of its process.</summary>
    NotRunning,
}

/// <summary>Kills a replica's process as the kernel would, without a word to it, so that a person can watch what happens then. Only local
/// mode has one: there the replicas are processes of whoever watches.</summary>
internal interface IReplicaKiller
{
    KillOutcome Kill(string @namespace, string pod);
}
