using System.CommandLine;
using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Commands;

/// <summary>Runs the command line and words its failures.</summary>
internal static class CommandRunner
{
    /// <returns>0; 1 when the command failed; 2 when the command line is wrong.</returns>
    public static async Task<int> RunAsync(RootCommand root, string[] arguments)
    {
        var result = root.Parse(arguments);
        if (result.Errors.Count > 0)
        {
            foreach (var error in result.Errors)
            {
                await Console.Error.WriteLineAsync(error.Message);
            }

            await Console.Error.WriteLineAsync($"see: cluster-worker {string.Join(' ', result.CommandResult.Command.Name == root.Name ? [] : (string[])[result.CommandResult.Command.Name, ""])}--help");
            return 2;
        }

        try
        {
            // The commands answer signals themselves: serve has requests to finish.
            return await result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception) when (exception is CommandFailure or RankLostException or FormatException or Tokenization.ChatTemplateException or IOException or NotSupportedException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"error: {exception.Message}");
            return 1;
        }
    }
}
