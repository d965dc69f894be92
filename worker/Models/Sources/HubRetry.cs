namespace Cluster.Worker.Models.Sources;

/// <summary>Repeats what failed in a way that may pass, a bounded number of times, with growing pauses. Used by <see cref="HubClient"/> and
/// <see cref="BlobDownload"/>.</summary>
/// <param name="pause">Waits; <see cref="Task.Delay(TimeSpan, CancellationToken)"/> outside of tests.</param>
/// <param name="random">Spreads the attempts of replicas that were cut off together.</param>
/// <param name="log">Told about each failure, one line.</param>
internal sealed class HubRetry(HubOptions options, Func<TimeSpan, CancellationToken, Task> pause, Random random, Action<string> log)
{
    private const double Growth = 2;

    /// <param name="attempt">Throws a transient <see cref="HubException"/> to be called again.</param>
    /// <param name="bytesDone">How far the attempts have come together; see <see cref="HubOptions.ProgressBytes"/>.</param>
    /// <param name="maxRetries">Null takes <see cref="HubOptions.MaxRetries"/>.</param>
    /// <exception cref="HubException">The failure of the last attempt.</exception>
    public async Task<T> RunAsync<T>(Func<Task<T>> attempt, Func<long> bytesDone, int? maxRetries, CancellationToken cancellationToken)
    {
        var failures = 0;
        var mark = bytesDone();
        while (true)
        {
            try
            {
                return await attempt();
            }
            catch (HubException exception) when (exception.IsTransient)
            {
                if (bytesDone() - mark >= options.ProgressBytes)
                {
                    mark = bytesDone();
                    failures = 0;
                }

                if (++failures > (maxRetries ?? options.MaxRetries))
                {
                    throw new HubException(
                        $"{exception.Message}; given up after {failures} {(failures == 1 ? "attempt" : "attempts")}",
                        exception)
                    { IsTransient = true };
                }

                var delay = Delay(failures, exception.RetryAfter);
                log($"{exception.Message}; trying again in {delay.TotalSeconds:F1} s ({failures} of {maxRetries ?? options.MaxRetries})");
                await pause(delay, cancellationToken);
            }
        }
    }

    private TimeSpan Delay(int failures, TimeSpan? asked)
    {
        var delay = asked ?? options.RetryDelay * Math.Pow(Growth, failures - 1) * (0.5 + random.NextDouble());
        return delay < options.MaxRetryDelay ? delay : options.MaxRetryDelay;
    }
}
