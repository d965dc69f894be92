
namespace Cluster.Common.Benchmarking;

/// <summary>How far a run has come.</summary>
internal readonly record struct ServeProgress(int Finished, int Failed, int Total);

/// <summary>Sends requests at their times and gathers what came of them. Called by the bench serve command; calls
/// <see cref="CompletionClient"/>.</summary>
internal static class ServeRun
{
    /// <param name="send">Sends one request.</param>
    /// <param name="arrivals">Seconds from the start, one a prompt, ascending.</param>
    /// <param name="maxConcurrency">Requests under way at most; one that must wait is timed from when it is sent. Null sets no
    /// limit.</param>
    /// <returns>One measurement a prompt, in order, and the seconds from the start to the last answer.</returns>
    public static async Task<(IReadOnlyList<RequestMeasurement> Requests, double DurationSeconds)> RunAsync(
        Func<BenchmarkPrompt, CancellationToken, Task<RequestMeasurement>> send,
        IReadOnlyList<BenchmarkPrompt> prompts,
        IReadOnlyList<double> arrivals,
        int? maxConcurrency,
        IProgress<ServeProgress>? progress,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        using var slots = new SemaphoreSlim(maxConcurrency ?? prompts.Count);
        var gate = new object();
        int finished = 0, failed = 0;

        async Task<RequestMeasurement> SendOneAsync(BenchmarkPrompt prompt)
        {
            await slots.WaitAsync(cancellationToken);
            try
            {
                var measurement = await send(prompt, cancellationToken);
                lock (gate)
                {
                    finished++;
                    failed += measurement.Succeeded ? 0 : 1;
                    progress?.Report(new ServeProgress(finished, failed, prompts.Count));
                }

                return measurement;
            }
            finally
            {
                slots.Release();
            }
        }

        var started = time.GetTimestamp();
        var requests = new Task<RequestMeasurement>[prompts.Count];
        for (var i = 0; i < requests.Length; i++)
        {
            var early = TimeSpan.FromSeconds(arrivals[i]) - time.GetElapsedTime(started);
            if (early > TimeSpan.Zero)
            {
                await Task.Delay(early, time, cancellationToken);
            }

            requests[i] = SendOneAsync(prompts[i]);
        }

        var measurements = await Task.WhenAll(requests);
        return (measurements, time.GetElapsedTime(started).TotalSeconds);
    }
}
