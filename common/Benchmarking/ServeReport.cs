using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Cluster.Common.Benchmarking;

/// <summary>A run's figures as vLLM prints and saves them, so that scripts which read the one read the other.</summary>
/// <param name="metrics">Which latencies to show: ttft, tpot, itl, e2el.</param>
/// <param name="percentiles">Which percentiles of each, 0 to 100.</param>
internal sealed class ServeReport(IReadOnlyList<string> metrics, IReadOnlyList<double> percentiles)
{
    public static readonly string[] Metrics = ["ttft", "tpot", "itl", "e2el"];

    private const int Width = 50;

    public string Table(ServeMetrics run)
    {
        var text = new StringBuilder();
        text.AppendLine(Centered(" Serving Benchmark Result ", '='));
        Line("Successful requests:", run.Completed);
        if (run.Failed > 0)
        {
            Line("Failed requests:", run.Failed);
        }

        Line("Benchmark duration (s):", run.DurationSeconds);
        Line("Total input tokens:", run.TotalInputTokens);
        Line("Total generated tokens:", run.TotalOutputTokens);
        Line("Request throughput (req/s):", run.RequestThroughput);
        if (run.RequestGoodput is { } goodput)
        {
            Line("Request goodput (req/s):", goodput);
        }

        Line("Output token throughput (tok/s):", run.OutputThroughput);
        Line("Total Token throughput (tok/s):", run.TotalTokenThroughput);
        foreach (var metric in metrics)
        {
            var (title, name, statistics) = Of(run, metric);
            text.AppendLine(Centered(title, '-'));
            Line($"Mean {name} (ms):", statistics.Mean);
            Line($"Median {name} (ms):", statistics.Median);
            foreach (var percentile in percentiles)
            {
                Line($"P{Spell(percentile)} {name} (ms):", statistics.Percentile(percentile));
            }
        }

        text.Append('=', Width);
        return text.ToString();

        void Line(string label, IFormattable value) =>
            text.AppendLine($"{label,-40} {value.ToString(value is double ? "F2" : null, CultureInfo.InvariantCulture),-10}");
    }

    public JsonObject Json(ServeMetrics run)
    {
        var json = new JsonObject
        {
            ["duration"] = run.DurationSeconds,
            ["completed"] = run.Completed,
            ["failed"] = run.Failed,
            ["total_input_tokens"] = run.TotalInputTokens,
            ["total_output_tokens"] = run.TotalOutputTokens,
            ["request_throughput"] = run.RequestThroughput,
            ["request_goodput"] = run.RequestGoodput,
            ["output_throughput"] = run.OutputThroughput,
            ["total_token_throughput"] = run.TotalTokenThroughput,
        };
        foreach (var metric in metrics)
        {
            var statistics = Of(run, metric).Statistics;
            json[$"mean_{metric}_ms"] = statistics.Mean;
            json[$"median_{metric}_ms"] = statistics.Median;
            json[$"std_{metric}_ms"] = statistics.StandardDeviation;
            foreach (var percentile in percentiles)
            {
                json[$"p{Spell(percentile)}_{metric}_ms"] = statistics.Percentile(percentile);
            }
        }

        return json;
    }

    private static (string Title, string Name, SampleStatistics Statistics) Of(ServeMetrics run, string metric) => metric switch
    {
        "ttft" => ("Time to First Token", "TTFT", run.TimeToFirstToken),
        "tpot" => ("Time per Output Token (excl. 1st token)", "TPOT", run.TimePerOutputToken),
        "itl" => ("Inter-token Latency", "ITL", run.InterTokenLatency),
        "e2el" => ("End-to-end Latency", "E2EL", run.EndToEndLatency),
        _ => throw new ArgumentOutOfRangeException(nameof(metric), metric, "expected ttft, tpot, itl or e2el"),
    };

    private static string Spell(double percentile) => percentile.ToString("R", CultureInfo.InvariantCulture);

    private static string Centered(string title, char fill)
    {
        var left = (Width - title.Length) / 2;
        return title.PadLeft(title.Length + left, fill).PadRight(Width, fill);
    }
}
