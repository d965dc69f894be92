using Cluster.Common.Metrics;

namespace Cluster.Operator.Gateway;

/// <summary>The gateway's metrics. Labels are names of deployments' models and of API keys, never what clients write.</summary>
internal sealed class GatewayMetrics(MetricsRegistry registry)
{
    private static readonly double[] Latencies =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

    /// <summary>By model, key and how they ended.</summary>
    public Counter Requests { get; } = registry.Counter(
        "cluster_gateway_requests_total", "Requests by how they ended: completed, failed, rejected or cancelled.", "model", "key",
        "outcome");

    public Counter Retries { get; } = registry.Counter(
        "cluster_gateway_retries_total", "Requests that were sent to a further replica before anything of the answer was delivered.",
        "model", "reason");

    public Counter Failovers { get; } = registry.Counter(
        "cluster_gateway_failovers_total", "Streams that a further replica went on with.", "model", "reason");

    public Counter Tokens { get; } = registry.Counter(
        "cluster_gateway_tokens_total", "Tokens by kind: prompt, cached (of the prompts) or generated.", "model", "key", "kind");

    public Histogram FirstToken { get; } = registry.Histogram(
        "cluster_gateway_time_to_first_token_seconds", "From a request's coming to the first token of its stream.", Latencies, "model");

    public Histogram Duration { get; } = registry.Histogram(
        "cluster_gateway_request_duration_seconds", "From a request's coming to the end of its answer.", Latencies, "model");

    public Histogram Queue { get; } = registry.Histogram(
        "cluster_gateway_queue_seconds", "How long requests waited for a replica.", Latencies, "model");

    /// <summary>Blocks of 64 bytes of prompts that were looked up, and that the chosen replica was believed to have.</summary>
    public Counter PrefixBlocks { get; } = registry.Counter(
        "cluster_gateway_prefix_blocks_total", "Blocks of prompts by whether the chosen replica had computed them before.", "model",
        "known");

    public Counter KeyRefusals { get; } = registry.Counter(
        "cluster_gateway_refusals_total", "Requests refused before they were queued, by reason.", "key", "reason");

    public Gauge Waiting { get; } = registry.Gauge("cluster_gateway_queue_length", "Requests that wait for a replica.", "model");

    public Gauge Running { get; } = registry.Gauge("cluster_gateway_requests_in_flight", "Sequences in work at replicas.", "model");

    public Gauge Replicas { get; } = registry.Gauge(
        "cluster_gateway_replicas", "Replicas by state: ready, suspect (a connection failed) or unready.", "model", "state");
}
