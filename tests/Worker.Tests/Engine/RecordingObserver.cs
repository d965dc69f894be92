using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Writes down what an engine tells.</summary>
internal sealed class RecordingObserver : IEngineObserver
{
    public List<string> Events { get; } = [];

    public List<EndedRequest> Requests { get; } = [];

    public void FirstToken(TimeSpan sinceArrival) => Events.Add($"first {sinceArrival.TotalMilliseconds}");

    public void InterToken(TimeSpan gap) => Events.Add($"inter {gap.TotalMilliseconds}");

    public void Ended(EndedRequest request)
    {
        Requests.Add(request);
        var sequences = request.Sequences.Select(
            sequence => $"{sequence.FinishReason} {sequence.End.TotalMilliseconds} {sequence.CompletionTokens}");
        Events.Add($"end {request.End.TotalMilliseconds}: {string.Join(", ", sequences)}");
    }
}
