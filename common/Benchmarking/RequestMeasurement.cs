namespace Cluster.Common.Benchmarking;

/// <summary>What a client saw of one request.</summary>
internal sealed record RequestMeasurement
{
    /// <summary>As the server counted them.</summary>
    public int PromptTokens { get; init; }

    /// <summary>As the server counted them.</summary>
    public int OutputTokens { get; init; }

    /// <summary>From sending to the first event with a choice.</summary>
    public double TimeToFirstTokenSeconds { get; init; }

    /// <summary>Gaps between events; several tokens in one event are one gap, as in vLLM.</summary>
    public IReadOnlyList<double> InterTokenSeconds { get; init; } = [];

    /// <summary>From sending to the last event with a choice.</summary>
    public double LatencySeconds { get; init; }

    /// <summary>Why there is no answer; null when there is one.</summary>
    public string? Error { get; init; }

    public bool Succeeded => Error is null;

    /// <summary>Seconds a token took after the first; null where there was one only.</summary>
    public double? TimePerOutputTokenSeconds => OutputTokens > 1 ? (LatencySeconds - TimeToFirstTokenSeconds) / (OutputTokens - 1) : null;
}
