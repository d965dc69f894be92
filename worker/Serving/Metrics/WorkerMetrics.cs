using System.Diagnostics.Metrics;
using Cluster.Common.Metrics;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;

namespace Cluster.Worker.Serving.Metrics;

/// <summary>The worker's metrics under vLLM's names, so that dashboards, autoscalers and gateways written for it work unchanged.
/// Latencies are pushed by the engine (<see cref="IEngineObserver"/>); levels and totals are read from it when scraped.</summary>
internal sealed class WorkerMetrics : IEngineObserver, IDisposable
{
    public const string MeterName = "Cluster.Worker";

    // vLLM v1's bucket boundaries, in seconds and tokens.
    private static readonly double[] FirstTokenBuckets = [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560];
    private static readonly double[] TokenGapBuckets = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
    private static readonly double[] RequestBuckets = [
        0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
    private static readonly long[] CountBuckets = [1, 2, 5, 10, 20];
    private static readonly long[] TokenBuckets = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000];

    private readonly Meter _meter = new(MeterName, WorkerVersion.Current);
    private readonly MeterMetrics _page;
    private readonly KeyValuePair<string, object?> _model;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _interToken;
    private readonly Histogram<double> _endToEnd;
    private readonly Histogram<long> _requestPromptTokens;
    private readonly Histogram<long> _requestGenerationTokens;
    private readonly Histogram<double> _queueTime;
    private readonly Histogram<double> _prefillTime;
    private readonly Histogram<double> _decodeTime;
    private readonly Histogram<double> _inferenceTime;
    private readonly Histogram<double> _timePerOutputToken;
    private readonly Histogram<long> _maxGenerationTokens;
    private readonly Histogram<long> _maxTokens;
    private readonly Histogram<long> _numOutputs;
    private readonly Counter<long> _success;

    public WorkerMetrics(ServingState state, string modelName)
    {
        _model = new KeyValuePair<string, object?>("model_name", modelName);
        _page = new MeterMetrics(
            _meter,
            name => name.Replace("vllm.", "vllm:", StringComparison.Ordinal).Replace("cluster.", "cluster:", StringComparison.Ordinal));
        _firstToken = Seconds("vllm.time_to_first_token_seconds", "Time from a request's arrival to its first token.", FirstTokenBuckets);
        _interToken = Seconds("vllm.inter_token_latency_seconds", "Time between two outputs of a request.", TokenGapBuckets);
        _endToEnd = Seconds("vllm.e2e_request_latency_seconds", "Time from a request's arrival to its end.", RequestBuckets);
        _requestPromptTokens = Tokens("vllm.request_prompt_tokens", "Prompt tokens of finished requests.");
        _requestGenerationTokens = Tokens("vllm.request_generation_tokens", "Generated tokens of finished requests.");
        _queueTime = Seconds(
            "vllm.request_queue_time_seconds", "Time from a request's arrival until the scheduler first took it.", RequestBuckets);
        _prefillTime = Seconds("vllm.request_prefill_time_seconds", "Time from then to its first token.", RequestBuckets);
        _decodeTime = Seconds("vllm.request_decode_time_seconds", "Time from its first token to its end.", RequestBuckets);
        _inferenceTime = Seconds("vllm.request_inference_time_seconds", "Time in the model: prefill and decode.", RequestBuckets);
        _timePerOutputToken = Seconds(
            "vllm.request_time_per_output_token_seconds", "Decode time of a request for each token after the first.", TokenGapBuckets);
        _maxGenerationTokens = Tokens("vllm.request_max_num_generation_tokens", "Tokens of a request's longest output.");
        _maxTokens = Tokens("vllm.request_params_max_tokens", "Most tokens that requests allow an output.");
        _numOutputs = Tokens("vllm.request_params_n", "Outputs that requests ask for.", CountBuckets);
        _success = _meter.CreateCounter<long>("vllm.request_success_total", description: "Requests finished, by reason.");
        foreach (var reason in Enum.GetValues<FinishReason>())
        {
            _success.Add(0, _model, Reason(reason));
        }

        Gauge("vllm.num_requests_running", "Requests in the running batch.", statistics => statistics.Running);
        Gauge("vllm.num_requests_waiting", "Requests waiting to be scheduled.", statistics => statistics.Waiting);
        Gauge("vllm.kv_cache_usage_perc", "KV-cache usage; 1 is full.", statistics => statistics.KvCacheUsage);
        Gauge("vllm.gpu_cache_usage_perc", "KV-cache usage under its older name.", statistics => statistics.KvCacheUsage);
        Total("vllm.prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.",
            statistics => statistics.PrefixCacheQueries);
        Total("vllm.prefix_cache_hits_total", "Prompt tokens found in the prefix cache.", statistics => statistics.PrefixCacheHits);
        Total("vllm.num_preemptions_total", "Sequences preempted.", statistics => statistics.Preemptions);
        Total("vllm.prompt_tokens_total", "Prompt tokens processed.", statistics => statistics.PromptTokens);
        Total("vllm.generation_tokens_total", "Tokens generated.", statistics => statistics.GenerationTokens);
        SpeculationTotal("vllm.spec_decode_num_drafts_total", "Drafts verified.", speculation => speculation.NumDrafts);
        SpeculationTotal("vllm.spec_decode_num_draft_tokens_total", "Tokens guessed in drafts.", speculation => speculation.NumDraftTokens);
        SpeculationTotal(
            "vllm.spec_decode_num_accepted_tokens_total", "Guessed tokens that the model chose.",
            speculation => speculation.NumAcceptedTokens);
        _meter.CreateObservableCounter(
            "vllm.spec_decode_num_accepted_tokens_per_pos_total",
            () => ReadSpeculation(state, speculation => speculation.AcceptedPerPosition.Select(
                (accepted, position) => new Measurement<long>(accepted, _model, new("position", position)))),
            description: "Guessed tokens that the model chose, by their place in the draft.");
        _meter.CreateObservableCounter(
            "cluster.known_answer_probes_total",
            () => state.Model?.Engine.Statistics.KnownAnswers is not { } answers ? []
                : (Measurement<long>[])[
                    new(answers.Agreed, _model, new("result", "agreed")), new(answers.Deviated, _model, new("result", "deviated"))],
            description: "Looks at whether the model still gives the answer of its start.");
        _meter.CreateObservableGauge(
            "vllm.cache_config_info",
            () => Read(
                state,
                statistics => new Measurement<double>(
                    1, _model, new("block_size", statistics.BlockSize), new("num_gpu_blocks", statistics.NumBlocks))),
            description: "Shape of the KV cache.");

        void Gauge(string name, string description, Func<EngineStatistics, double> value) =>
            _meter.CreateObservableGauge(
                name, () => Read(state, statistics => new Measurement<double>(value(statistics), _model)), description: description);

        void SpeculationTotal(string name, string description, Func<SpeculationStatistics, long> value) =>
            _meter.CreateObservableCounter(
                name, () => ReadSpeculation(state, speculation => [new Measurement<long>(value(speculation), _model)]),
                description: description);

        void Total(string name, string description, Func<EngineStatistics, long> value) =>
            _meter.CreateObservableCounter(
                name, () => Read(state, statistics => new Measurement<long>(value(statistics), _model)), description: description);
    }

    /// <summary>The metrics page.</summary>
    public string Render() => _page.Render();

    public void FirstToken(TimeSpan sinceArrival) => _firstToken.Record(sinceArrival.TotalSeconds, _model);

    public void InterToken(TimeSpan gap) => _interToken.Record(gap.TotalSeconds, _model);

    public void Ended(EndedRequest request)
    {
        foreach (var sequence in request.Sequences)
        {
            _endToEnd.Record(sequence.End.TotalSeconds, _model);
            _requestPromptTokens.Record(request.Request.PromptTokenIds.Count, _model);
            _requestGenerationTokens.Record(sequence.CompletionTokens, _model);
            _success.Add(1, _model, Reason(sequence.FinishReason ?? FinishReason.Abort));
        }

        if (request.Failure is null)
        {
            CountParts(request);
        }
    }

    /// <summary>What a request asked for, and where its time went.</summary>
    private void CountParts(EndedRequest request)
    {
        var longestOutput = request.Outputs.Max(output => output.CompletionTokens);
        _numOutputs.Record(request.Request.Sampling.N, _model);
        _maxGenerationTokens.Record(longestOutput, _model);
        if (request.Request.Sampling.MaxTokens is { } most)
        {
            _maxTokens.Record(most, _model);
        }

        if (request.Queue is not { } queue)
        {
            return;
        }

        _queueTime.Record(queue.TotalSeconds, _model);
        _inferenceTime.Record((request.End - queue).TotalSeconds, _model);
        if (request.FirstToken is { } first)
        {
            _prefillTime.Record((first - queue).TotalSeconds, _model);
            _decodeTime.Record((request.End - first).TotalSeconds, _model);
            if (longestOutput > 1 && request.Request.Resumption is not { IsEmpty: false })
            {
                _timePerOutputToken.Record((request.End - first).TotalSeconds / (longestOutput - 1), _model);
            }
        }
    }

    public void Dispose()
    {
        _page.Dispose();
        _meter.Dispose();
    }

    private static KeyValuePair<string, object?> Reason(FinishReason reason) => new("finished_reason", Http.Wire.Spell(reason));

    /// <summary>Nothing while the model loads: a metric that does not exist yet is better than a zero that never was.</summary>
    private static IEnumerable<Measurement<T>> Read<T>(ServingState state, Func<EngineStatistics, Measurement<T>> measure)
        where T : struct => state.Model is { } model ? [measure(model.Engine.Statistics)] : [];

    /// <summary>Nothing where the engine does not speculate, either.</summary>
    private static IEnumerable<Measurement<long>> ReadSpeculation(
        ServingState state, Func<SpeculationStatistics, IEnumerable<Measurement<long>>> measure) =>
        state.Model?.Engine.Statistics.Speculation is { } speculation ? measure(speculation) : [];

    private Histogram<double> Seconds(string name, string description, double[] buckets) =>
        _meter.CreateHistogram(name, "s", description, advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = buckets });

    private Histogram<long> Tokens(string name, string description, long[]? buckets = null) =>
        _meter.CreateHistogram(
            name, "tokens", description, advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = buckets ?? TokenBuckets });
}
