using System.Globalization;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Plugin;

/// <summary>One replica as <c>kubectl mdep top</c> shows it; also its JSON.</summary>
/// <param name="Load">Null where the worker does not answer, for the reason in <paramref name="Error"/>.</param>
internal sealed record TopRow(
    string Namespace, string Deployment, string Replica, string? Node, IReadOnlyList<int> Gpus, string State, TopLoad? Load, string? Error)
{
    public static TopRow Of(ModelDeployment deployment, Replica pod, TopLoad? load, string? error) => new(
        deployment.Metadata.NamespaceProperty ?? "", deployment.Metadata.Name, pod.Name, pod.Node, pod.Gpus, PodWords.State(pod), load,
        error);
}

/// <summary>How busy it is.</summary>
/// <param name="TokensPerSecond">Generated between the two looks.</param>
/// <param name="PromptTokensPerSecond">Read between them.</param>
/// <param name="PrefixHitRate">Since the worker's start; null where nothing was looked up.</param>
/// <param name="MeanFirstTokenMilliseconds">Since the worker's start; null before the first token.</param>
internal sealed record TopLoad(
    int Running, int Waiting, double KvCacheUsage, double TokensPerSecond, double PromptTokensPerSecond, double? PrefixHitRate,
    long Requests, long Preemptions, double? MeanFirstTokenMilliseconds)
{
    public static TopLoad Of(WorkerFigures before, WorkerFigures now, TimeSpan between) => new(
        now.Running, now.Waiting, now.KvCacheUsage,
        WorkerFigures.Rate(before.GenerationTokens, now.GenerationTokens, between),
        WorkerFigures.Rate(before.PromptTokens, now.PromptTokens, between),
        now.PrefixHitRate, now.Requests, now.Preemptions, now.MeanFirstTokenSeconds * 1000);
}

/// <summary>The rows as a table.</summary>
internal static class TopTable
{
    public static IEnumerable<string> Lines(IReadOnlyList<TopRow> rows, bool allNamespaces, bool wide)
    {
        string[] headings = ["DEPLOYMENT", "REPLICA", "NODE", "GPUS", "STATE", "RUNNING", "WAITING", "KV", "TOKENS/S", "PREFIX-HITS"];
        string[] more = ["PROMPT-TOKENS/S", "REQUESTS", "PREEMPTIONS", "TTFT-MS"];
        TextTable table = new([.. allNamespaces ? ["NAMESPACE"] : Array.Empty<string>(), .. headings, .. wide ? more : []]);
        foreach (var row in rows)
        {
            var load = row.Load;
            table.Add([
                .. allNamespaces ? [row.Namespace] : Array.Empty<string>(),
                row.Deployment, row.Replica, row.Node ?? "<none>", row.Gpus.Count == 0 ? "<none>" : string.Join(',', row.Gpus), row.State,
                Show(load?.Running), Show(load?.Waiting), Percent(load?.KvCacheUsage), Show(load?.TokensPerSecond),
                Percent(load?.PrefixHitRate),
                .. wide
                    ? [
                        Show(load?.PromptTokensPerSecond), Show(load?.Requests), Show(load?.Preemptions),
                        Show(load?.MeanFirstTokenMilliseconds),
                    ]
                    : Array.Empty<string>(),
            ]);
        }

        return table.Lines();
    }

    private static string Show(IFormattable? value) =>
        value?.ToString(value is double ? "0.0" : null, CultureInfo.InvariantCulture) ?? "-";

    private static string Percent(double? share) =>
        share is { } value ? $"{(value * 100).ToString("0.0", CultureInfo.InvariantCulture)}%" : "-";
}
