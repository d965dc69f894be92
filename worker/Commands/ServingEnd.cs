using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Serving;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary>How a worker that serves comes to its end: it is told to stop, or its model can be computed no more. Called by
/// <see cref="ServeCommand"/>.</summary>
internal static class ServingEnd
{
    /// <param name="stopping">Completes with what has told the worker to stop.</param>
    /// <param name="failed">Completes when the model can be computed no more, with why.</param>
    /// <param name="timeout">What <paramref name="server"/> gives requests to finish; for the log.</param>
    /// <returns>Exit code: 0 when everything that ran was finished, 1 so that the replica is restarted.</returns>
    public static async Task<int> AwaitAsync(
        WorkerServer server, Task<string> stopping, Task<Exception> failed, TimeSpan timeout, ILogger logger)
    {
        if (await Task.WhenAny(stopping, failed) != failed)
        {
            logger.LogInformation("{Signal}: draining, up to {Seconds} s", await stopping, timeout.TotalSeconds);
            await server.DrainAsync();
        }

        if (failed.IsCompleted)
        {
            var failure = await failed;
            logger.LogCritical(
                ExplainedFailure.Is(failure) ? null : failure, "{Reason}; exiting so that the replica is restarted", failure.Message);
            await server.FailAsync($"the model can no longer run: {failure.Message}");
            return 1;
        }

        logger.LogInformation("stopped");
        return 0;
    }

    /// <summary>Completes when the model can be computed no more, with why.</summary>
    /// <param name="engine">Ends with the engine: faulted when a step has failed, as it does when a device is lost.</param>
    /// <param name="lost">Completes when another rank is lost; null where there is none.</param>
    public static async Task<Exception> FailureAsync(Task engine, Task<RankLostException>? lost)
    {
        await Task.WhenAny(lost is null ? [engine] : [engine, lost]);
        return lost is { IsCompleted: true }
            ? await lost
            : engine.Exception?.InnerException ?? new InvalidOperationException("the engine has ended");
    }
}
