namespace Cluster.Operator.Gateway.Traffic;

/// <summary>How far a request has come, or how it ended.</summary>
internal enum RequestOutcome
{
    Running,

    /// <summary>The client has the whole answer.</summary>
    Completed,

    /// <summary>The client went.</summary>
    Cancelled,

    /// <summary>No replica could answer it, or none any more.</summary>
    Failed,

    /// <summary>It was never sent to a replica: over a limit, bad, or too late.</summary>
    Rejected,
}
