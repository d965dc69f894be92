using System.Diagnostics;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Telemetry;

/// <summary>Writes the spans of each request of the engine when it has ended. Attributes have vLLM's names and, where they differ, those of
/// OpenTelemetry's conventions for generative AI as well. Made by <see cref="WorkerTelemetry"/>.</summary>
internal sealed class RequestSpans(ActivitySource source, string modelName) : IEngineObserver
{
    public void Ended(EndedRequest request)
    {
        var (arrival, end) = (request.Arrival, request.Arrival + request.End);
        using var span = source.StartActivity("llm_request", ActivityKind.Internal, request.Caller, startTime: arrival);
        if (span is null)
        {
            return;
        }

        var completionTokens = request.Outputs.Sum(output => output.CompletionTokens);
        Describe(span, request, completionTokens);
        var started = request.Queue is { } waited ? arrival + waited : end;
        Child(source, span, "queue", arrival, started);
        span.SetTag("gen_ai.latency.time_in_queue", (started - arrival).TotalSeconds);
        span.SetTag("gen_ai.latency.e2e", request.End.TotalSeconds);

        if (request.Queue is not null)
        {
            var first = request.FirstToken is { } untilFirst ? arrival + untilFirst : end;
            span.SetTag("gen_ai.latency.time_in_model_inference", (end - started).TotalSeconds);
            span.SetTag("gen_ai.latency.time_in_model_prefill", (first - started).TotalSeconds);
            Child(
                source, span, "prefill", started, first,
                ("gen_ai.usage.prompt_tokens", request.Request.PromptTokenIds.Count), ("gen_ai.usage.cached_tokens", request.CachedTokens));
            if (request.FirstToken is not null)
            {
                span.SetTag("gen_ai.latency.time_to_first_token", (first - arrival).TotalSeconds);
                span.SetTag("gen_ai.latency.time_in_model_decode", (end - first).TotalSeconds);
                Child(source, span, "decode", first, end, ("gen_ai.usage.completion_tokens", completionTokens));
            }
        }

        span.SetEndTime(end.UtcDateTime);
    }

    private void Describe(Activity span, EndedRequest ended, int completionTokens)
    {
        var (request, sampling) = (ended.Request, ended.Request.Sampling);
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
        span.SetTag("gen_ai.usage.cached_tokens", ended.CachedTokens);
        span.SetTag("gen_ai.usage.completion_tokens", completionTokens);
        span.SetTag("gen_ai.usage.output_tokens", completionTokens);
        span.SetTag("gen_ai.response.finish_reasons", ended.Outputs.Select(output => Http.Wire.Spell(output.FinishReason) ?? "").ToArray());
        if (ended.Failure is { } failure)
        {
            span.SetTag("error.type", failure.GetType().FullName);
            span.SetStatus(ActivityStatusCode.Error, failure.Message);
        }
    }

    private static void Child(
        ActivitySource source, Activity parent, string name, DateTimeOffset start, DateTimeOffset end,
        params ReadOnlySpan<(string Key, object Value)> tags)
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
}
