using System.Diagnostics;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>Runs the commands of <c>kubectl exec</c> beside a container's process: with its environment, its working directory, and paths
/// below its mounts as folders of this machine.</summary>
internal sealed class NodeSessions : IPodSessions
{
    /// <summary>Set once the node exists: the API server, which asks, is older than the node.</summary>
    public LocalNode? Node { get; set; }

    public async Task<int> ExecAsync(
        string @namespace, string pod, string container, IReadOnlyList<string> command, SessionStreams streams,
        CancellationToken cancellationToken)
    {
        var runner = Node?.FindContainer(@namespace, pod, container);
        if (runner is not { IsRunning: true })
        {
            throw new ApiException(500, "InternalError", $"container not found (\"{container}\"): it does not run");
        }

        var spec = Resolve(runner);
        var start = ContainerProcess.Prepare(
            spec.MapPath(command[0]), command.Skip(1).Select(spec.MapPath), spec.Environment, spec.WorkingDirectory);
        return await RunAsync(start, streams, cancellationToken);
    }

    /// <summary>Runs a program with a client's streams; kills it when the client goes.</summary>
    internal static async Task<int> RunAsync(ProcessStartInfo start, SessionStreams streams, CancellationToken cancellationToken)
    {
        using var process = Start(start);
        _ = FeedAsync(process, streams.Input, cancellationToken);
        try
        {
            await Task.WhenAll(
                process.StandardOutput.BaseStream.CopyToAsync(streams.Output ?? Stream.Null, cancellationToken),
                process.StandardError.BaseStream.CopyToAsync(streams.Error ?? Stream.Null, cancellationToken),
                process.WaitForExitAsync(cancellationToken));
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }

        return process.ExitCode;
    }

    private static ContainerSpec Resolve(ContainerRunner runner)
    {
        try
        {
            return runner.Resolve();
        }
        catch (PodConfigurationException error)
        {
            throw new ApiException(500, "InternalError", error.Message);
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new ApiException(500, "InternalError", $"cannot start '{start.FileName}': {error.Message}");
        }
    }

    /// <summary>Ends with the client's input, or when the program reads no more.</summary>
    private static async Task FeedAsync(Process process, Stream? input, CancellationToken cancellationToken)
    {
        try
        {
            await using var target = process.StandardInput.BaseStream;
            await (input ?? Stream.Null).CopyToAsync(target, cancellationToken);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The program has ended, which its exit code tells.
        }
    }
}
