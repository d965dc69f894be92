using System.Globalization;

namespace Cluster.Common.Benchmarking;

/// <summary>Service level objectives, milliseconds: a request is good when it keeps them all. Null sets none.</summary>
internal sealed record Goodput(double? TimeToFirstToken, double? TimePerOutputToken, double? Latency)
{
    /// <param name="pairs"><c>ttft:200 tpot:50 e2el:1000</c>, any of them.</param>
    /// <exception cref="FormatException">A pair is not of that form.</exception>
    public static Goodput Parse(IEnumerable<string> pairs)
    {
        var goodput = new Goodput(null, null, null);
        foreach (var pair in pairs)
        {
            var parts = pair.Split(':');
            if (parts.Length != 2
                || !double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out var limit)
                || !(limit >= 0))
            {
                throw Wrong(pair);
            }

            goodput = parts[0] switch
            {
                "ttft" => goodput with { TimeToFirstToken = limit },
                "tpot" => goodput with { TimePerOutputToken = limit },
                "e2el" => goodput with { Latency = limit },
                _ => throw Wrong(pair),
            };
        }

        return goodput;
    }

    public bool IsMetBy(RequestMeasurement request) =>
        request.Succeeded
        && Keeps(request.TimeToFirstTokenSeconds, TimeToFirstToken)
        && Keeps(request.TimePerOutputTokenSeconds ?? 0, TimePerOutputToken)
        && Keeps(request.LatencySeconds, Latency);

    private static bool Keeps(double seconds, double? limitMilliseconds) =>
        limitMilliseconds is null || seconds * 1000 <= limitMilliseconds;

    private static FormatException Wrong(string pair) =>
        new($"--goodput {pair}: expected ttft, tpot or e2el, a colon and milliseconds, as in ttft:200");
}
