using System.Globalization;
using System.Text;
using Cluster.Common.Benchmarking;

namespace Cluster.Worker.Benchmarking.Serving;

/// <summary>Draws a sweep over request rates as SVG: throughput, time to first token and time per output token, one panel each. Rates stand
/// at even distances, because sweeps double them and end in infinity.</summary>
internal static class LoadPlot
{
    private const double PanelWidth = 320, PanelHeight = 220, Left = 70, Top = 70, Gap = 90, Bottom = 90;

    private static readonly string[] Colors = ["#1f77b4", "#d62728", "#2ca02c"];

    private sealed record Series(string Name, Func<ServeMetrics, double> Value);

    private sealed record Panel(string Title, string Unit, Series[] Series);

    private static readonly Panel[] Panels =
    [
        new("Throughput", "tokens/s", [new("output", run => run.OutputThroughput), new("input + output", run => run.TotalTokenThroughput)]),
        new("Time to first token", "ms", Percentiles(run => run.TimeToFirstToken)),
        new("Time per output token", "ms", Percentiles(run => run.TimePerOutputToken)),
    ];

    /// <param name="title">Shown above; any text.</param>
    /// <param name="points">At least one.</param>
    public static string Draw(string title, IReadOnlyList<LoadPoint> points)
    {
        ArgumentOutOfRangeException.ThrowIfZero(points.Count);
        var ordered = points.OrderBy(point => point.RequestRate).ToArray();
        var width = Left + (Panels.Length * (PanelWidth + Gap)) - Gap + 30;
        var svg = new StringBuilder();
        svg.AppendLine(
            Invariant(
                $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {Top + PanelHeight + Bottom}" font-family="sans-serif" font-size="12" fill="#222">"""));
        svg.AppendLine("""<rect width="100%" height="100%" fill="white"/>""");
        svg.AppendLine(Invariant($"""<text x="{width / 2}" y="24" text-anchor="middle" font-size="16">{Escape(title)}</text>"""));
        for (var i = 0; i < Panels.Length; i++)
        {
            DrawPanel(svg, Panels[i], ordered, Left + (i * (PanelWidth + Gap)));
        }

        return svg.AppendLine("</svg>").ToString();
    }

    /// <summary>A distance between ticks of 1, 2 or 5 times a power of ten that makes about five of them.</summary>
    internal static double TickStep(double maximum)
    {
        if (!(maximum > 0))
        {
            return 1;
        }

        var power = Math.Pow(10, Math.Floor(Math.Log10(maximum / 5)));
        return (maximum / 5 / power) switch { <= 1 => power, <= 2 => 2 * power, <= 5 => 5 * power, _ => 10 * power };
    }

    private static void DrawPanel(StringBuilder svg, Panel panel, LoadPoint[] points, double left)
    {
        const double Bottom = Top + PanelHeight;
        var largest = panel.Series.Max(series => points.Max(point => series.Value(point.Metrics)));
        var step = TickStep(largest);
        var numTicks = Math.Max(1, (int)Math.Ceiling(largest / step));
        double X(int index) => left + (PanelWidth * (index + 0.5) / points.Length);
        double Y(double value) => Bottom - (PanelHeight * value / (numTicks * step));

        svg.AppendLine(Invariant($"""<text x="{left}" y="{Top - 22}" font-weight="bold">{panel.Title} ({panel.Unit})</text>"""));
        for (var tick = 0; tick <= numTicks; tick++)
        {
            var y = Y(tick * step);
            svg.AppendLine(Invariant($"""<line x1="{left}" y1="{y:F1}" x2="{left + PanelWidth}" y2="{y:F1}" stroke="#ddd"/>"""));
            svg.AppendLine(Invariant($"""<text x="{left - 8}" y="{y + 4:F1}" text-anchor="end">{tick * step:0.######}</text>"""));
        }

        for (var i = 0; i < points.Length; i++)
        {
            svg.AppendLine(Invariant($"""<line x1="{X(i):F1}" y1="{Bottom}" x2="{X(i):F1}" y2="{Bottom + 5}" stroke="#222"/>"""));
            svg.AppendLine(
                Invariant($"""<text x="{X(i):F1}" y="{Bottom + 19}" text-anchor="middle">{RateName(points[i].RequestRate)}</text>"""));
        }

        svg.AppendLine(Invariant($"""<path d="M{left} {Top}V{Bottom}H{left + PanelWidth}" fill="none" stroke="#222"/>"""));
        svg.AppendLine(
            Invariant($"""<text x="{left + (PanelWidth / 2)}" y="{Bottom + 38}" text-anchor="middle">request rate (requests/s)</text>"""));
        for (var i = 0; i < panel.Series.Length; i++)
        {
            var series = panel.Series[i];
            var places = points.Select((point, index) => (X: X(index), Y: Y(series.Value(point.Metrics)))).ToArray();
            svg.AppendLine(
                Invariant(
                    $"""<polyline points="{string.Join(' ', places.Select(place => Invariant($"{place.X:F1},{place.Y:F1}")))}" fill="none" stroke="{Colors[i]}" stroke-width="2"/>"""));
            foreach (var place in places)
            {
                svg.AppendLine(Invariant($"""<circle cx="{place.X:F1}" cy="{place.Y:F1}" r="3" fill="{Colors[i]}"/>"""));
            }

            var legend = left + (i * 110);
            svg.AppendLine(
                Invariant(
                    $"""<line x1="{legend}" y1="{Bottom + 58}" x2="{legend + 20}" y2="{Bottom + 58}" stroke="{Colors[i]}" stroke-width="2"/>"""));
            svg.AppendLine(Invariant($"""<text x="{legend + 26}" y="{Bottom + 62}">{series.Name}</text>"""));
        }
    }

    public static string RateName(double requestRate) =>
        double.IsPositiveInfinity(requestRate) ? "inf" : requestRate.ToString("0.####", CultureInfo.InvariantCulture);

    private static Series[] Percentiles(Func<ServeMetrics, SampleStatistics> statistics) =>
    [
        new("median", run => statistics(run).Median),
        new("P90", run => statistics(run).Percentile(90)),
        new("P99", run => statistics(run).Percentile(99)),
    ];

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;");
}
