using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;

namespace Cluster.Common;

/// <summary>Runs a program's command line and words its failures. Called by the <c>Program</c> of operator and worker.</summary>
internal static partial class CommandRunner
{
    /// <param name="program">Its name, as one types it.</param>
    /// <param name="isFailure">Whether an exception's message says all that the user needs; <see cref="CommandFailure"/> and what files and
    /// formats throw always do.</param>
    /// <returns>0; 1 when the command failed; 2 when the command line is wrong.</returns>
    public static async Task<int> RunAsync(RootCommand root, string[] arguments, string program, Func<Exception, bool> isFailure)
    {
        var result = root.Parse(arguments);
        if (result.Errors.Count > 0)
        {
            await Console.Error.WriteLineAsync(Explain(result, program));
            return 2;
        }

        try
        {
            // The commands answer signals themselves: they have requests to finish, processes to stop and leases to give back.
            return await result.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception)
            when (exception is CommandFailure or FormatException or IOException or UnauthorizedAccessException || isFailure(exception))
        {
            await Console.Error.WriteLineAsync($"error: {exception.Message}");
            return 1;
        }
    }

    /// <summary>What is wrong with a command line, one error per line, and where to read how it should be.</summary>
    public static string Explain(ParseResult wrong, string program) =>
        Explain(wrong.Errors.Select(error => Reword(error.Message)), Path(wrong.CommandResult, program));

    /// <summary>The same for errors that are worded already.</summary>
    /// <param name="command">The command they are about, as one types it.</param>
    public static string Explain(IEnumerable<string> errors, string command) =>
        string.Join(Environment.NewLine, [.. errors, $"see: {command} --help"]);

    /// <summary>The commands that led here, as one types them.</summary>
    private static string Path(CommandResult command, string program) =>
        command.Parent is CommandResult parent ? $"{Path(parent, program)} {command.Command.Name}" : program;

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
