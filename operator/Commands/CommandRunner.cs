using System.CommandLine;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Commands;

/// <summary>Ends a command with a message for the user instead of a stack trace: exit code 1.</summary>
internal sealed class CommandFailure(string message, Exception? inner = null) : Exception(message, inner);

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

            await Console.Error.WriteLineAsync($"see: cluster-operator {(result.CommandResult.Command == root ? "" : result.CommandResult.Command.Name + " ")}--help");
            return 2;
        }

        try
        {
            // The commands answer signals themselves: they have processes to stop and leases to give back.
            return await result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception) when (exception is CommandFailure or KubernetesException or FormatException or IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            await Console.Error.WriteLineAsync($"error: {exception.Message}");
            return 1;
        }
    }
}
