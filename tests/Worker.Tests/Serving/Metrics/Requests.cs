using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Serving.Metrics;

/// <summary>What an engine would tell of a request.</summary>
internal static class Requests
{
    /// <summary>A request of one sequence that was computed at once.</summary>
    public static EndedRequest Ended(FinishReason reason, TimeSpan end)
    {
        var sequence = new EndedSequence(reason, CompletionTokens: 20, end);
        return new EndedRequest(
            new GenerationRequest("one", [1, 2, 3], new SamplingParameters()), default, DateTimeOffset.UnixEpoch, TimeSpan.Zero, end / 2,
            end, CachedTokens: 0, [sequence], [sequence]);
    }
}
