using System.Text.Json;

namespace Cluster.Benchmarks.Compare;

/// <summary>Reads what llama.cpp's benchmarks print.</summary>
internal static class LlamaOutput
{
    /// <summary>Tokens a second by <c>llama-bench -o json</c>: an array with one test.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static double BenchRate(string output) => Read(output, root => root[0].GetProperty("avg_ts").GetDouble(), "llama-bench");

    /// <summary>Generated tokens a second by <c>llama-batched-bench --output-format jsonl</c>: one object a line, after the log.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static double BatchedRate(string output) => Read(
        output.Split('\n').LastOrDefault(line => line.StartsWith('{')) ?? "", root => root.GetProperty("speed_tg").GetDouble(),
        "llama-batched-bench");

    private static double Read(string json, Func<JsonElement, double> find, string program)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var rate = find(document.RootElement);
            return rate > 0 ? rate : throw new FormatException($"{program} says {rate} tokens a second");
        }
        catch (Exception exception)
            when (exception is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            throw new FormatException($"{program} printed what is not known: {exception.Message}", exception);
        }
    }
}
