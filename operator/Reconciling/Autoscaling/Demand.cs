namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>What all gateways together have for one deployment.</summary>
/// <param name="Queued">Requests that wait in gateways.</param>
/// <param name="Running">Requests that replicas have in work.</param>
/// <param name="OutstandingTokens">Tokens of prompts and answers that are still to be computed, of all these requests.</param>
/// <param name="OldestQueuedSeconds">How long the first of those that wait has waited.</param>
/// <param name="SecondsSinceLastRequest">Since the last one came; null where no gateway has seen any.</param>
internal sealed record Demand(
    int Queued, int Running, long OutstandingTokens, double OldestQueuedSeconds, double? SecondsSinceLastRequest)
{
    public static Demand None { get; } = new(0, 0, 0, 0, null);

    /// <summary>Which gateway is missing from the sum and why, in words that stay the same; null where all are in it. A sum that misses
    /// some may ask for more replicas, and never for fewer.</summary>
    public string? Missing { get; init; }

    /// <summary>Nothing is known.</summary>
    public static Demand Unknown(string missing) => None with { Missing = missing };

    public static Demand operator +(Demand a, Demand b) => new(
        (int)Math.Min(int.MaxValue, (long)a.Queued + b.Queued),
        (int)Math.Min(int.MaxValue, (long)a.Running + b.Running),
        a.OutstandingTokens > long.MaxValue - b.OutstandingTokens ? long.MaxValue : a.OutstandingTokens + b.OutstandingTokens,
        Math.Max(a.OldestQueuedSeconds, b.OldestQueuedSeconds),
        a.SecondsSinceLastRequest is { } last && b.SecondsSinceLastRequest is { } other
            ? Math.Min(last, other)
            : a.SecondsSinceLastRequest ?? b.SecondsSinceLastRequest)
    {
        Missing = a.Missing ?? b.Missing,
    };
}
