using Cluster.Common.Benchmarking;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Benchmarking;

/// <summary>Gives an engine in this process all requests at once and waits for the last. Called by bench latency and bench
/// throughput.</summary>
/// <param name="PromptTokens">Of all requests.</param>
/// <param name="OutputTokens">Likewise.</param>
internal sealed record OfflineRun(double Seconds, long PromptTokens, long OutputTokens)
{
    /// <summary>Samples at temperature 1 past any end-of-sequence token, so that every run does the same work.</summary>
    /// <param name="onFinished">Called as each request ends.</param>
    /// <exception cref="InvalidRequestException">A prompt does not fit the model.</exception>
    public static async Task<OfflineRun> RunAsync(
        IEngine engine, IReadOnlyList<BenchmarkPrompt> prompts, Action? onFinished, TimeProvider time, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var requests = prompts.Select((prompt, index) => RunOneAsync(engine, $"bench-{index}", prompt, onFinished, cancellationToken))
            .ToArray();
        var outputs = await Task.WhenAll(requests);
        return new OfflineRun(
            time.GetElapsedTime(started).TotalSeconds,
            outputs.Sum(output => (long)output.PromptTokens),
            outputs.Sum(output => (long)output.CompletionTokens));
    }

    private static async Task<TokenOutput> RunOneAsync(
        IEngine engine, string id, BenchmarkPrompt prompt, Action? onFinished, CancellationToken cancellationToken)
    {
        var sampling = new SamplingParameters { Temperature = 1, MaxTokens = prompt.OutputLength, IgnoreEos = true };
        TokenOutput? last = null;
        await foreach (var output in engine.GenerateAsync(new GenerationRequest(id, prompt.TokenIds, sampling), cancellationToken))
        {
            last = output;
        }

        onFinished?.Invoke();
        return last ?? throw new InvalidOperationException($"request '{id}' ended without output");
    }
}
