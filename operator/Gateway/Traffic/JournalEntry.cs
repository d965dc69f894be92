using Cluster.Operator.Controller;

namespace Cluster.Operator.Gateway.Traffic;

/// <summary>A request's way from one replica to the next, or to its first.</summary>
/// <param name="Replica">Where it went.</param>
/// <param name="From">Where it was before; null for the first.</param>
/// <param name="Tokens">Tokens the client had by then.</param>
/// <param name="Reason">Why it left the one before; empty for the first.</param>
/// <param name="AfterMilliseconds">Since the request came.</param>
internal sealed record RequestHop(string Replica, string? From, int Tokens, string Reason, double AfterMilliseconds);

/// <summary>One request, as it was when the journal was read.</summary>
/// <param name="Version">Grows with every change of the journal: who has read up to it needs only what is newer.</param>
/// <param name="KeyName">Name of the API key, never the key; empty without one.</param>
/// <param name="TtftMilliseconds">Null before the first token.</param>
/// <param name="TpotMilliseconds">Time per output token after the first; null with fewer than two.</param>
/// <param name="Milliseconds">From its coming to its end, or to now.</param>
/// <param name="Tokens">Generated so far, or altogether.</param>
/// <param name="Hops">The first replica, and every one that took over.</param>
internal sealed record JournalEntry(
    RequestId Id,
    long Version,
    NamespacedName Deployment,
    string Model,
    string KeyName,
    RequestOutcome Outcome,
    DateTimeOffset Started,
    double Milliseconds,
    double? TtftMilliseconds,
    double? TpotMilliseconds,
    int? PromptTokens,
    int? CachedTokens,
    int Tokens,
    IReadOnlyList<RequestHop> Hops);
