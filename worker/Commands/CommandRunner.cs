using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary>Runs the command line and words its failures.</summary>
internal static partial class CommandRunner
{
    /// <returns>0; 1 when the command failed; 2 when the command line is wrong.</returns>
    public static async Task<int> RunAsync(RootCommand root, string[] arguments)
    {
        var result = root.Parse(arguments);
        if (result.Errors.Count > 0)
        {
            await Console.Error.WriteLineAsync(Explain(result));
            return 2;
        }

        try
        {
            // The commands answer signals themselves: serve has requests to finish.
            return await result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception) when (exception is CommandFailure or StartupException or RankLostException or FormatException or Tokenization.ChatTemplateException or IOException or NotSupportedException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"error: {exception.Message}");
            return 1;
        }
    }

    /// <summary>What is wrong with a command line, an error a line, and where to read how it should be.</summary>
    public static string Explain(ParseResult wrong) =>
        string.Join(Environment.NewLine, [.. wrong.Errors.Select(error => Reword(error.Message)), $"see: {Path(wrong.CommandResult)} --help"]);

    /// <summary>The commands that led here, as one types them.</summary>
    private static string Path(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{Path(parent)} {command.Command.Name}" : "cluster-worker";

    /// <summary>The parser tells a wrong number by the names of types, which its user need not know.</summary>
    private static string Reword(string message) => ParseError().Match(message) is { Success: true } error
        ? $"{error.Groups["option"]} {error.Groups["value"]}: expected {(error.Groups["type"].Value switch
        {
            var type when type.Contains("Int", StringComparison.Ordinal) => "a whole number",
            var type when type.Contains("Boolean", StringComparison.Ordinal) => "true or false",
            _ => "a number",
        })}"
        : message;

    [GeneratedRegex("^Cannot parse argument '(?<value>.*)' for option '(?<option>.*)' as expected type '(?<type>.*)'\\.$")]
    private static partial Regex ParseError();
}
