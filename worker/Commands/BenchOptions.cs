using System.CommandLine;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Commands;

/// <summary>Options of the bench commands that check their values.</summary>
internal static class BenchOptions
{
    public static Option<int> Count(string name, string description, int fallback, int minimum = 1) =>
        new Option<int>(name) { Description = description, DefaultValueFactory = _ => fallback, HelpName = "N" }.Between(minimum);

    public static Option<int?> OptionalCount(string name, string description) =>
        new Option<int?>(name) { Description = description, HelpName = "N" }.Between(1);

    /// <param name="accepts">Whether a value is in range.</param>
    /// <param name="expected">What would be right.</param>
    public static Option<double> Number(string name, string description, double fallback, Func<double, bool> accepts, string expected) =>
        new Option<double>(name) { Description = description, DefaultValueFactory = _ => fallback, HelpName = "X" }.Only(accepts, expected);

    public static Option<bool> Profile() => new("--profile")
    {
        Description =
            "Prints what steps consist of, by operation: launches, bytes, operations, time, and percent of the roofline where the device's "
            + "peak rates are known or measured. On GPUs, each operation is waited for, so that latencies are longer than without.",
    };

    public static Task WriteJsonAsync(string path, JsonNode json, CancellationToken cancellationToken)
    {
        if (Path.GetDirectoryName(path) is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
        }

        return WholeFile.WriteNamedAsync(path, json.ToJsonString(new() { WriteIndented = true }), cancellationToken);
    }
}
