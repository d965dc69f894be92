using System.Globalization;

namespace Cluster.Fuzz.Running;

/// <summary>The report as a table for people: one line for each target, then what was found.</summary>
internal static class ReportTable
{
    private static readonly string[] Titles =
        ["target", "inputs", "accepted", "refused", "kept", "failed", "kinds", "slowest (ms)", "most allocated (MiB)"];

    public static void Write(TextWriter output, IReadOnlyList<TargetReport> reports)
    {
        List<string[]> rows = [Titles, .. reports.Select(Row)];
        var widths = Enumerable.Range(0, Titles.Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            output.WriteLine(
                string.Join("  ", row.Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column]))));
        }

        foreach (var finding in reports.SelectMany(report => report.Findings))
        {
            output.WriteLine();
            output.WriteLine($"{finding.Target}: {finding.Failure.Title}");
            output.WriteLine($"  {finding.Failure.Key}; {finding.Bytes} bytes");
            output.WriteLine($"  {finding.Command}");
        }
    }

    private static string[] Row(TargetReport report) =>
    [
        report.Target, Text(report.Inputs), Text(report.Accepted), Text(report.Refused), Text(report.Kept), Text(report.Crashes),
        Text(report.Findings.Count), report.Worst.TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture),
        (report.WorstBytes / (double)(1 << 20)).ToString("F1", CultureInfo.InvariantCulture),
    ];

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
