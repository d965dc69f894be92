using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Commands;

/// <summary>Options of the bench commands that check their values.</summary>
internal static class BenchOptions
{
    public static Option<int> Count(string name, string description, int fallback, int minimum = 1)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => fallback, HelpName = "N" };
        RequireAtLeast(option, minimum);
        return option;
    }

    public static Option<int?> OptionalCount(string name, string description)
    {
        var option = new Option<int?>(name) { Description = description, HelpName = "N" };
        RequireAtLeast(option, 1);
        return option;
    }

    /// <param name="accepts">Whether a value is in range.</param>
    /// <param name="expected">What would be right.</param>
    public static Option<double> Number(string name, string description, double fallback, Func<double, bool> accepts, string expected)
    {
        var option = new Option<double>(name) { Description = description, DefaultValueFactory = _ => fallback, HelpName = "X" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && !accepts(value))
            {
                result.AddError($"{name} {result.Tokens[0].Value}: must be {expected}");
            }
        });
        return option;
    }

    public static Option<string> OneOf(string name, string description, params string[] values)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => values[0] };
        option.AcceptOnlyFromAmong(values);
        return option;
    }

    public static Task WriteJsonAsync(string path, JsonNode json, CancellationToken cancellationToken)
    {
        if (Path.GetDirectoryName(path) is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
        }

        return File.WriteAllTextAsync(path, json.ToJsonString(new() { WriteIndented = true }), cancellationToken);
    }

    private static void RequireAtLeast(Option option, int minimum) => option.Validators.Add(result =>
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value < minimum)
        {
            result.AddError($"{option.Name} {value}: must be at least {minimum}");
        }
    });
}
