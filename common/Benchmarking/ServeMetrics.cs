namespace Cluster.Common.Benchmarking;

/// <summary>The figures of a run by vLLM's definitions; times in milliseconds. Failed requests count as failed only.</summary>
internal sealed class ServeMetrics
{
    public ServeMetrics(IReadOnlyList<RequestMeasurement> requests, double durationSeconds, Goodput? goodput)
    {
        var succeeded = requests.Where(request => request.Succeeded).ToArray();
        DurationSeconds = durationSeconds;
        Completed = succeeded.Length;
        Failed = requests.Count - Completed;
        FirstError = requests.FirstOrDefault(request => !request.Succeeded)?.Error;
        TotalInputTokens = succeeded.Sum(request => (long)request.PromptTokens);
        TotalOutputTokens = succeeded.Sum(request => (long)request.OutputTokens);
        RequestGoodput = goodput is null ? null : succeeded.Count(goodput.IsMetBy) / durationSeconds;
        TimeToFirstToken = Milliseconds(succeeded.Select(request => request.TimeToFirstTokenSeconds));
        TimePerOutputToken = Milliseconds(succeeded.Select(request => request.TimePerOutputTokenSeconds).OfType<double>());
        InterTokenLatency = Milliseconds(succeeded.SelectMany(request => request.InterTokenSeconds));
        EndToEndLatency = Milliseconds(succeeded.Select(request => request.LatencySeconds));
    }

    public double DurationSeconds { get; }

    public int Completed { get; }

    public int Failed { get; }

    public string? FirstError { get; }

    public long TotalInputTokens { get; }

    public long TotalOutputTokens { get; }

    /// <summary>Good requests a second; null without objectives.</summary>
    public double? RequestGoodput { get; }

    public double RequestThroughput => Completed / DurationSeconds;

    public double OutputThroughput => TotalOutputTokens / DurationSeconds;

    public double TotalTokenThroughput => (TotalInputTokens + TotalOutputTokens) / DurationSeconds;

    public SampleStatistics TimeToFirstToken { get; }

    public SampleStatistics TimePerOutputToken { get; }

    public SampleStatistics InterTokenLatency { get; }

    public SampleStatistics EndToEndLatency { get; }

    private static SampleStatistics Milliseconds(IEnumerable<double> seconds) => new(seconds.Select(value => value * 1000));
}
