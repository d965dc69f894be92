namespace Cluster.Operator.Gateway.Routing;

/// <summary>A replica with room for one more request.</summary>
/// <param name="Hash">A number of its own, the same at every gateway.</param>
/// <param name="InFlight">Requests that it has.</param>
/// <param name="Tokens">Tokens that it has still to compute, prompts included.</param>
/// <param name="Matched">Blocks of the request's beginning that it has computed before.</param>
internal readonly record struct ReplicaOption(ulong Hash, int InFlight, long Tokens, int Matched);

/// <summary>Chooses a replica. Pure: same input, same choice.</summary>
internal static class ReplicaChoice
{
    /// <summary>How far above the average a replica may be loaded for the sake of what it has computed before.</summary>
    private const double LoadFactor = 1.25;

    /// <summary>Below so many requests a replica is never overloaded: a batch of them costs hardly more than one.</summary>
    private const int BatchRoom = 8;

    /// <param name="options">At least one.</param>
    /// <param name="cost">Tokens of the request.</param>
    /// <param name="first">Hash of the prompt's first block; 0 for a prompt shorter than that.</param>
    /// <param name="turn">Grows by one with every request.</param>
    /// <returns>Index of an option.</returns>
    public static int Choose(RoutingPolicy policy, ReadOnlySpan<ReplicaOption> options, long cost, ulong first, uint turn) => policy switch
    {
        RoutingPolicy.RoundRobin => (int)(turn % (uint)options.Length),
        RoutingPolicy.LeastLoaded => Best(options, first, default, cost, withPrefix: false),
        _ => Best(options, first, Bound(options, cost), cost, withPrefix: true),
    };

    /// <summary>
    /// <code>
    /// 1. the longest known beginning, among replicas within the bound of load
    /// 2. the fewest outstanding tokens
    /// 3. rendezvous: the highest hash of (first block, replica), so that gateways which know nothing yet agree
    /// </code>
    /// </summary>
    private static int Best(ReadOnlySpan<ReplicaOption> options, ulong first, double bound, long cost, bool withPrefix)
    {
        var best = 0;
        for (var i = 1; i < options.Length; i++)
        {
            if (Compare(options[i], options[best]) > 0)
            {
                best = i;
            }
        }

        return best;

        int Compare(in ReplicaOption left, in ReplicaOption right)
        {
            var order = Matched(left).CompareTo(Matched(right));
            order = order != 0 ? order : right.Tokens.CompareTo(left.Tokens);
            return order != 0 ? order : PromptBlocks.Mix(left.Hash, first).CompareTo(PromptBlocks.Mix(right.Hash, first));
        }

        int Matched(in ReplicaOption option) =>
            withPrefix && (option.InFlight < BatchRoom || option.Tokens + cost <= bound) ? option.Matched : 0;
    }

    /// <summary>Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): nobody gets more than so many times the
    /// average.</summary>
    private static double Bound(ReadOnlySpan<ReplicaOption> options, long cost)
    {
        var total = (double)cost;
        foreach (var option in options)
        {
            total += option.Tokens;
        }

        return LoadFactor * total / options.Length;
    }
}
