namespace Cluster.Worker.Models.Sources;

/// <summary>Limits of a download. The defaults suit a worker in a cluster; tests shorten them.</summary>
internal sealed record HubOptions
{
    /// <summary>Files downloaded at once.</summary>
    public int ParallelFiles { get; init; } = 8;

    /// <summary>How long a connection may bring nothing before it is given up.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Further attempts after a first one that failed in a way that may pass. Counted anew after each
    /// <see cref="ProgressBytes"/>.</summary>
    public int MaxRetries { get; init; } = 5;

    /// <summary>Wait before the first retry; doubles with each.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait between attempts, whatever the hub asks for.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>A connection that brought this much was worth it: a long download over a poor line must not run out of attempts, while one
    /// that brings a few bytes at a time must end.</summary>
    public long ProgressBytes { get; init; } = 8 << 20;

    /// <summary>Redirects followed for one request.</summary>
    public int MaxRedirects { get; init; } = 8;
}
