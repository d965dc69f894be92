using System.Diagnostics;
using System.Net.Http.Json;

namespace Cluster.Benchmarks.Gateway;

/// <summary>When the parts of one reply came, in milliseconds.</summary>
/// <param name="FirstEvent">Since the request was sent.</param>
/// <param name="Gaps">Between events.</param>
internal sealed record StreamedRequest(double FirstEvent, IReadOnlyList<double> Gaps, double Whole)
{
    public static async Task<StreamedRequest> SendAsync(HttpClient http, Uri address, object body)
    {
        var started = Stopwatch.GetTimestamp();
        using var message = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "/v1/completions"));
        message.Content = JsonContent.Create(body);
        using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        List<double> times = [];
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("data: {", StringComparison.Ordinal))
            {
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }
        }

        return new StreamedRequest(
            times[0], [.. times.Zip(times.Skip(1), (before, after) => after - before)],
            Stopwatch.GetElapsedTime(started).TotalMilliseconds);
    }

    public static double Percentile(IEnumerable<double> values, double quantile)
    {
        var sorted = values.Order().ToList();
        return sorted[Math.Min(sorted.Count - 1, (int)(quantile * sorted.Count))];
    }
}
