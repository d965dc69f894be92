using System.Diagnostics;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Telemetry;

/// <summary>What one request of the engine went through, written as spans when it has ended. Attributes have vLLM's names and, where they differ, those of
/// OpenTelemetry's conventions for generative AI as well. Fed by <see cref="TracedEngine"/>, by one caller at a time.</summary>
/// <param name="parent">The span the request belongs to.</param>
internal sealed class GenerationTrace(GenerationRequest request, string modelName, ActivityContext parent, TimeProvider time)
{
    private readonly DateTimeOffset arrival = time.GetUtcNow();
    private readonly TokenOutput?[] last = new TokenOutput?[request.Sampling.N];
    private DateTimeOffset? firstToken;
    private TimeSpan? queueTime;
    private Exception? failure;

    public void Add(TokenOutput output)
    {
        last[output.Index] = output;
        queueTime ??= output.QueueTime;
        firstToken ??= output.FirstTokenTime is { } waited ? arrival + waited : null;
    }

    public void Fail(Exception exception) => failure = exception;

    public void Write(ActivitySource source)
    {
        var end = time.GetUtcNow();
        using var span = source.StartActivity("llm_request", ActivityKind.Internal, parent, startTime: arrival);
        if (span is null)
        {
            return;
        }

        var outputs = last.OfType<TokenOutput>().ToArray();
        var completionTokens = outputs.Sum(output => output.CompletionTokens);
        var cachedTokens = outputs.Length == 0 ? 0 : outputs[0].CachedTokens;
        Describe(span, completionTokens, cachedTokens, outputs);

        // The engine's clock starts a moment after this one, so its wait always fits in; the bound is for clocks that are set in between.
        var started = queueTime is { } waited ? Earlier(arrival + waited, firstToken ?? end) : end;
        Child(source, span, "queue", arrival, started);
        span.SetTag("gen_ai.latency.time_in_queue", (started - arrival).TotalSeconds);
        span.SetTag("gen_ai.latency.e2e", (end - arrival).TotalSeconds);

        if (queueTime is not null)
        {
            var first = Earlier(firstToken ?? end, end);
            span.SetTag("gen_ai.latency.time_in_model_inference", (end - started).TotalSeconds);
            span.SetTag("gen_ai.latency.time_in_model_prefill", (first - started).TotalSeconds);
            Child(source, span, "prefill", started, first, ("gen_ai.usage.prompt_tokens", request.PromptTokenIds.Count), ("gen_ai.usage.cached_tokens", cachedTokens));
            if (firstToken is not null)
            {
                span.SetTag("gen_ai.latency.time_to_first_token", (first - arrival).TotalSeconds);
                span.SetTag("gen_ai.latency.time_in_model_decode", (end - first).TotalSeconds);
                Child(source, span, "decode", first, end, ("gen_ai.usage.completion_tokens", completionTokens));
            }
        }

        span.SetEndTime(end.UtcDateTime);
    }

    private void Describe(Activity span, int completionTokens, int cachedTokens, TokenOutput[] outputs)
    {
        var sampling = request.Sampling;
        span.SetTag("gen_ai.operation.name", "text_completion");
        span.SetTag("gen_ai.request.model", modelName);
        span.SetTag("gen_ai.response.model", modelName);
        span.SetTag("gen_ai.request.id", request.RequestId);
        span.SetTag("gen_ai.request.n", sampling.N);
        span.SetTag("gen_ai.request.temperature", sampling.Temperature);
        span.SetTag("gen_ai.request.top_p", sampling.TopP);
        span.SetTag("gen_ai.request.top_k", sampling.TopK);
        span.SetTag("gen_ai.request.max_tokens", sampling.MaxTokens);
        span.SetTag("gen_ai.request.seed", sampling.Seed);
        span.SetTag("gen_ai.usage.num_sequences", sampling.NumSequences);
        span.SetTag("gen_ai.usage.prompt_tokens", request.PromptTokenIds.Count);
        span.SetTag("gen_ai.usage.input_tokens", request.PromptTokenIds.Count);
        span.SetTag("gen_ai.usage.cached_tokens", cachedTokens);
        span.SetTag("gen_ai.usage.completion_tokens", completionTokens);
        span.SetTag("gen_ai.usage.output_tokens", completionTokens);
        span.SetTag("gen_ai.response.finish_reasons", outputs.Select(output => Http.Wire.Spell(output.FinishReason) ?? "").ToArray());
        if (failure is not null and not OperationCanceledException)
        {
            span.SetTag("error.type", failure.GetType().FullName);
            span.SetStatus(ActivityStatusCode.Error, failure.Message);
        }
    }

    private static void Child(ActivitySource source, Activity parent, string name, DateTimeOffset start, DateTimeOffset end, params ReadOnlySpan<(string Key, object Value)> tags)
    {
        using var span = source.StartActivity(name, ActivityKind.Internal, parent.Context, startTime: start);
        if (span is null)
        {
            return;
        }

        foreach (var (key, value) in tags)
        {
            span.SetTag(key, value);
        }

        span.SetEndTime(end.UtcDateTime);
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}
