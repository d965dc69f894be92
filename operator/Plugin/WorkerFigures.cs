using Cluster.Common;
using Cluster.Common.Metrics;

namespace Cluster.Operator.Plugin;

/// <summary>What a worker's metrics page says at one moment. Counters are since the worker's start.</summary>
internal sealed record WorkerFigures
{
    public int Running { get; init; }

    public int Waiting { get; init; }

    /// <summary>1 is full.</summary>
    public double KvCacheUsage { get; init; }

    public long PromptTokens { get; init; }

    public long GenerationTokens { get; init; }

    public long PrefixQueries { get; init; }

    public long PrefixHits { get; init; }

    public long Preemptions { get; init; }

    public long Requests { get; init; }

    public double FirstTokenSeconds { get; init; }

    public long FirstTokens { get; init; }

    /// <summary>Prompt tokens found in the prefix cache; null where none was looked up.</summary>
    public double? PrefixHitRate => PrefixQueries > 0 ? (double)PrefixHits / PrefixQueries : null;

    /// <summary>Mean time to the first token; null before the first.</summary>
    public double? MeanFirstTokenSeconds => FirstTokens > 0 ? FirstTokenSeconds / FirstTokens : null;

    /// <summary>Adds up the models and the reasons of each metric.</summary>
    public static WorkerFigures Of(string page)
    {
        Dictionary<string, double> sums = new(StringComparer.Ordinal);
        foreach (var sample in MetricsReader.Read(page))
        {
            sums[sample.Name] = sums.GetValueOrDefault(sample.Name) + sample.Value;
        }

        return new WorkerFigures
        {
            Running = (int)Of(WorkerMetricNames.Running),
            Waiting = (int)Of(WorkerMetricNames.Waiting),
            KvCacheUsage = Of(WorkerMetricNames.KvCacheUsage),
            PromptTokens = (long)Of(WorkerMetricNames.PromptTokens),
            GenerationTokens = (long)Of(WorkerMetricNames.GenerationTokens),
            PrefixQueries = (long)Of(WorkerMetricNames.PrefixQueries),
            PrefixHits = (long)Of(WorkerMetricNames.PrefixHits),
            Preemptions = (long)Of(WorkerMetricNames.Preemptions),
            Requests = (long)Of(WorkerMetricNames.Requests),
            FirstTokenSeconds = Of(WorkerMetricNames.FirstTokenSeconds),
            FirstTokens = (long)Of(WorkerMetricNames.FirstTokens),
        };

        double Of(string name) => double.IsFinite(sums.GetValueOrDefault(name)) ? sums.GetValueOrDefault(name) : 0;
    }

    /// <summary>Tokens a second between two looks. A counter that went back belongs to a worker that started anew, and counts from
    /// 0.</summary>
    public static double Rate(long before, long now, TimeSpan between) =>
        between > TimeSpan.Zero ? (now >= before ? now - before : now) / between.TotalSeconds : 0;
}
