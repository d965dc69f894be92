using System.Globalization;
using Cluster.Common.Benchmarking;

namespace Cluster.Worker.Benchmarking.Datasets;

/// <summary>Replays recorded traffic: a CSV with the columns <c>arrival_seconds,prompt_len,output_len</c> (header optional), prompts of
/// random ids.</summary>
internal static class TraceDataset
{
    private const int MaxLength = 1 << 24;

    /// <param name="count">Most requests to take.</param>
    /// <exception cref="FormatException">A line is wrong; names file, line and what would be right.</exception>
    public static IReadOnlyList<BenchmarkPrompt> Read(TextReader reader, string file, int count, RandomDataset random)
    {
        var prompts = new List<BenchmarkPrompt>();
        var previous = 0.0;
        for (var number = 1; prompts.Count < count && reader.ReadLine() is { } line; number++)
        {
            if (line.Length == 0 || number == 1 && line.TrimStart().StartsWith("arrival", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            var columns = line.Split(',', StringSplitOptions.TrimEntries);
            if (columns.Length != 3
                || !double.TryParse(columns[0], NumberStyles.Float, CultureInfo.InvariantCulture, out var arrival)
                || !double.IsFinite(arrival) || arrival < 0
                || !TryLength(columns[1], out var promptLength)
                || !TryLength(columns[2], out var outputLength))
            {
                throw new FormatException(
                    $"{file}:{number}: '{line}' is not arrival_seconds,prompt_len,output_len with lengths from 1 to {MaxLength}");
            }

            if (arrival < previous)
            {
                throw new FormatException($"{file}:{number}: arrives at {columns[0]} s, before the line above; sort the trace by arrival");
            }

            previous = arrival;
            prompts.Add(new BenchmarkPrompt(random.Tokens(promptLength), outputLength, arrival));
        }

        return prompts.Count > 0 ? prompts : throw new FormatException($"{file}: holds no requests");
    }

    private static bool TryLength(string text, out int length) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out length) && length is >= 1 and <= MaxLength;
}
