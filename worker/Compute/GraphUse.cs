namespace Cluster.Worker.Compute;

/// <summary>What the caller of <see cref="Backend.BeginGraph"/> must do.</summary>
internal enum GraphUse
{
    /// <summary>Enqueue the operations; no <see cref="Backend.EndGraph"/>.</summary>
    Compute,

    /// <summary>Enqueue the operations, then <see cref="Backend.EndGraph"/>.</summary>
    Capture,

    /// <summary>Nothing: the operations were enqueued as a graph.</summary>
    Replayed,
}
