using Cluster.Worker.Engine;
using Cluster.Worker.Serving;

namespace Cluster.Worker.Commands;

/// <summary>What a worker that serves makes of the known answers of its model: it is ready only after the first, and unready from the
/// first that deviates. Called by <see cref="ServeCommand"/>.</summary>
internal static class KnownAnswers
{
    /// <summary>Waits until the model has answered for the first time, or cannot.</summary>
    public static async Task AwaitFirstAsync(LlmEngine engine, TimeSpan interval, ILogger logger)
    {
        await Task.WhenAny(engine.KnownAnswer, engine.Completion);
        if (engine.KnownAnswer is { IsCompletedSuccessfully: true, Result: { } digest })
        {
            logger.LogInformation(
                "known answer {Digest}, asked for again every {Seconds} s (--probe-interval)", digest, interval.TotalSeconds);
        }
    }

    /// <summary>Ends when the model has answered wrongly, and <paramref name="state"/> tells so.</summary>
    /// <param name="devices">What each rank computes on.</param>
    public static async Task WatchAsync(LlmEngine engine, ServingState state, IReadOnlyList<string> devices, ILogger logger)
    {
        var deviation = await engine.WrongResults;
        logger.LogCritical(
            "{Reason}: {Deviation}; device {Devices} or its memory is not to be trusted. Running requests are finished, new ones refused, "
            + "until this worker is replaced",
            WorkerReasons.WrongResults, deviation, string.Join(", ", devices));
        state.Distrust($"{deviation} (device {string.Join(", ", devices)})");
    }
}
