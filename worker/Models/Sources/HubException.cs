namespace Cluster.Worker.Models.Sources;

/// <summary>A model could not be had: no access, no such repository, no network, no disk. The message says what the user can do about it
/// and never holds the token.</summary>
internal sealed class HubException(string message, Exception? inner = null) : IOException(message, inner)
{
    /// <summary>Whether the same request may well succeed a little later; <see cref="HubRetry"/> asks.</summary>
    public bool IsTransient { get; init; }

    /// <summary>How long the hub asked to wait (<c>Retry-After</c>); null where it did not.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
