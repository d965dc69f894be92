using Cluster.Operator.Controller;

namespace Cluster.Operator.Gateway.Traffic;

/// <summary>A request between its coming and its end, and after that for as long as the journal keeps it. Written under the lock of its
/// <see cref="TrafficLog"/>.</summary>
internal sealed class TrackedRequest(RequestId id, NamespacedName deployment, string model, string keyName, long came)
{
    /// <summary>A request moves a few times at most; were it more, its first hops tell what happened.</summary>
    private const int MostHops = 16;

    private readonly List<RequestHop> _hops = [];

    public NamespacedName Deployment { get; } = deployment;

    /// <summary>Timestamp of its coming.</summary>
    public long Came { get; } = came;

    /// <summary>Timestamp of the first token.</summary>
    public long? First { get; set; }

    /// <summary>Timestamp of the latest token.</summary>
    public long Last { get; set; }

    /// <summary>Timestamp of its end.</summary>
    public long Ended { get; set; }

    public int Tokens { get; set; }

    public int? PromptTokens { get; set; }

    public int? CachedTokens { get; set; }

    public RequestOutcome Outcome { get; set; }

    public string? Replica { get; private set; }

    public long Version { get; set; }

    public void Assign(string replica, string reason, int tokens, TimeProvider time)
    {
        if (_hops.Count < MostHops)
        {
            _hops.Add(new RequestHop(replica, Replica, tokens, reason, time.GetElapsedTime(Came).TotalMilliseconds));
        }

        Replica = replica;
    }

    /// <summary>Time per token after the first; null with fewer than two.</summary>
    public double? Tpot(TimeProvider time) =>
        First is { } first && Tokens > 1 ? time.GetElapsedTime(first, Last).TotalMilliseconds / (Tokens - 1) : null;

    /// <param name="now">A timestamp, and the same moment on the wall clock.</param>
    public JournalEntry Entry((long Timestamp, DateTimeOffset Clock) now, TimeProvider time)
    {
        var end = Outcome == RequestOutcome.Running ? now.Timestamp : Ended;
        return new JournalEntry(
            id, Version, Deployment, model, keyName, Outcome, now.Clock - time.GetElapsedTime(Came, now.Timestamp),
            time.GetElapsedTime(Came, end).TotalMilliseconds,
            First is { } first ? time.GetElapsedTime(Came, first).TotalMilliseconds : null,
            Tpot(time), PromptTokens, CachedTokens, Tokens, [.. _hops]);
    }
}
