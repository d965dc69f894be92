using Cluster.Operator.Gateway.Admission;
using Cluster.Operator.Gateway.Routing;
using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>Tells metrics, the traffic log and the key's account what becomes of one request.</summary>
internal sealed class RequestTrace(GatewayServices services, RequestId id, string model, ApiKeyAccount key, int promptTokens)
{
    private readonly long _came = services.Options.Time.GetTimestamp();
    private readonly int _estimatedTokens = promptTokens;
    private bool _isTold;
    private bool _hasFirst;
    private int _tokens;
    private string? _replica;

    /// <summary>As the worker counted them; the estimate until then.</summary>
    public int PromptTokens { get; set; } = promptTokens;

    public int CompletionTokens { get; set; }

    public int? CachedTokens { get; set; }

    private TimeSpan Elapsed => services.Options.Time.GetElapsedTime(_came);

    /// <summary>A replica has the request.</summary>
    /// <param name="why">Why the one before has it no more.</param>
    public void Sent(ReplicaLease lease, RouteRequest route, FailureReason? why, bool hasBegun)
    {
        var metrics = services.Metrics;
        var traffic = services.Traffic;
        if (why is { } reason)
        {
            (hasBegun ? metrics.Failovers : metrics.Retries).With(model, reason.Word).Increment();
            traffic.Moved(id, _replica!, lease.Replica.Name, _tokens, reason.Text);
        }
        else
        {
            metrics.Queue.With(model).Observe(Elapsed.TotalSeconds);
            metrics.PrefixBlocks.With(model, "yes").Add(lease.MatchedBlocks);
            metrics.PrefixBlocks.With(model, "no").Add(route.Blocks.Length - lease.MatchedBlocks);
            traffic.Started(id, lease.Deployment.Name, lease.Replica.Name, model, key.Name, _came);
            _isTold = true;
        }

        _replica = lease.Replica.Name;
    }

    /// <summary>Tokens are on their way to the client.</summary>
    public void Tokens(int count)
    {
        if (count == 0)
        {
            return;
        }

        if (!_hasFirst)
        {
            _hasFirst = true;
            services.Metrics.FirstToken.With(model).Observe(Elapsed.TotalSeconds);
            services.Traffic.FirstToken(id);
        }

        _tokens += count;
        services.Traffic.Tokens(id, count);
    }

    public void Ended(RequestOutcome outcome)
    {
        var metrics = services.Metrics;
        var generated = Math.Max(_tokens, CompletionTokens);
        metrics.Requests.With(model, key.Name, Spell(outcome)).Increment();
        metrics.Duration.With(model).Observe(Elapsed.TotalSeconds);
        if (_isTold)
        {
            metrics.Tokens.With(model, key.Name, "prompt").Add(PromptTokens);
            metrics.Tokens.With(model, key.Name, "cached").Add(CachedTokens ?? 0);
            metrics.Tokens.With(model, key.Name, "generated").Add(generated);
            key.Spend(PromptTokens + generated - _estimatedTokens);
            services.Traffic.Ended(id, outcome, PromptTokens, generated, CachedTokens);
        }
        else if (services.Replicas.Snapshot.OfModel(model) is [var first, ..])
        {
            // Never sent: nobody knows which of the deployments it would have gone to.
            services.Traffic.Started(id, first.Name, null, model, key.Name, _came);
            services.Traffic.Ended(id, outcome, null, null, null);
        }
    }

    private static string Spell(RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.Completed => "completed",
        RequestOutcome.Cancelled => "cancelled",
        RequestOutcome.Rejected => "rejected",
        _ => "failed",
    };
}
