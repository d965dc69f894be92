using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Cluster.Benchmarks.Compare;

/// <summary>Results as a table for people and as JSON for programs.</summary>
internal static class CompareTable
{
    private static readonly string[] Columns = ["work", "ours", "llama.cpp", "ratio", "goal", "of the ceiling"];

    public static Table Of(IEnumerable<RowResult> results)
    {
        var table = new Table().AddColumns(Columns);
        foreach (var column in table.Columns.Skip(1))
        {
            column.RightAligned().NoWrap();
        }

        foreach (var result in results)
        {
            table.AddRow([.. Cells(result).Select(Markup.Escape)]);
        }

        return table;
    }

    /// <summary>One row, for whoever does not wait for the table.</summary>
    public static string Line(RowResult result) =>
        string.Join("; ", Columns.Zip(Cells(result), (column, cell) => $"{column}: {cell}"));

    /// <summary>For a document.</summary>
    public static string Markdown(IEnumerable<RowResult> results) => string.Join(
        '\n',
        results.Select(result => $"| {string.Join(" | ", Cells(result))} |")
            .Prepend($"|{string.Concat(Columns.Select(_ => "---|"))}")
            .Prepend($"| {string.Join(" | ", Columns)} |"));

    public static JsonObject Json(RowResult result) => new()
    {
        ["id"] = result.Row.Id,
        ["title"] = result.Row.Title,
        ["unit"] = result.Row.Unit,
        ["less_is_better"] = result.Row.LessIsBetter,
        ["ours"] = new JsonArray([.. result.Ours.Select(value => JsonValue.Create(value))]),
        ["peer"] = new JsonArray([.. result.Peer.Select(value => JsonValue.Create(value))]),
        ["ours_median"] = result.OurMedian,
        ["peer_median"] = result.PeerMedian,
        ["ratio"] = result.Ratio,
        ["goal"] = result.Row.Goal,
        ["meets_goal"] = result.MeetsGoal,
        ["ceiling"] = result.Ceiling,
        ["ceiling_share"] = result.CeilingShare,
    };

    private static IReadOnlyList<string> Cells(RowResult result) =>
    [
        result.Row.Title,
        $"{Number(result.OurMedian)} {result.Row.Unit}",
        result.PeerMedian is { } peer ? $"{Number(peer)} {result.Row.Unit}" : "–",
        result.Ratio is { } ratio ? ratio.ToString("F2", CultureInfo.InvariantCulture) : "–",
        result.Row.Goal is { } goal
            ? goal.ToString("0.##", CultureInfo.InvariantCulture)
                + (result.MeetsGoal switch { true => " met", false => " missed", _ => "" })
            : "–",
        result.CeilingShare is { } share
            ? string.Create(CultureInfo.InvariantCulture, $"{100 * share:F0} % of {result.Ceiling}")
            : "–",
    ];

    /// <summary>Three digits that count.</summary>
    private static string Number(double value) => value.ToString(
        value switch { >= 100 => "N0", >= 10 => "F1", _ => "F2" }, CultureInfo.InvariantCulture);
}
