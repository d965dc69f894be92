namespace Cluster.Common;

/// <summary>Names of the worker's metrics that the operator reads: vLLM's.</summary>
internal static class WorkerMetricNames
{
    public const string Running = "vllm:num_requests_running";
    public const string Waiting = "vllm:num_requests_waiting";
    public const string KvCacheUsage = "vllm:kv_cache_usage_perc";
    public const string PrefixQueries = "vllm:prefix_cache_queries_total";
    public const string PrefixHits = "vllm:prefix_cache_hits_total";
    public const string CacheConfig = "vllm:cache_config_info";
    public const string Preemptions = "vllm:num_preemptions_total";
    public const string PromptTokens = "vllm:prompt_tokens_total";
    public const string GenerationTokens = "vllm:generation_tokens_total";
    public const string Requests = "vllm:request_success_total";
    public const string FirstTokenSeconds = "vllm:time_to_first_token_seconds_sum";
    public const string FirstTokens = "vllm:time_to_first_token_seconds_count";
}
