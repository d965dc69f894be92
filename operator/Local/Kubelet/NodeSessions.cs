using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>Runs the commands of <c>kubectl exec</c> beside a container's process: with its environment, its working directory, and paths
/// below its mounts as folders of this machine. Joins the process itself for <c>attach</c>, and connects to its ports.</summary>
internal sealed class NodeSessions : IPodSessions
{
    /// <summary>Set once the node exists: the API server, which asks, is older than the node.</summary>
    public LocalNode? Node { get; set; }

    public async Task<int> ExecAsync(
        string @namespace, string pod, string container, IReadOnlyList<string> command, SessionStreams streams,
        CancellationToken cancellationToken)
    {
        _ = Find(@namespace, pod, container, out var runner);
        var spec = Resolve(runner);
        var start = ContainerProcess.Prepare(
            spec.MapPath(command[0]), ArchiveNames.Arguments(command, spec), spec.Environment, spec.WorkingDirectory);
        return await (streams.Terminal is null
            ? RunAsync(start, streams, cancellationToken)
            : RunInTerminalAsync(start, streams, cancellationToken));
    }

    public Task AttachAsync(
        string @namespace, string pod, string container, SessionStreams streams, CancellationToken cancellationToken) =>
        Find(@namespace, pod, container, out _).AttachAsync(streams, cancellationToken);

    public async Task<Socket> ConnectAsync(string @namespace, string pod, int port, CancellationToken cancellationToken)
    {
        var address = Node?.FindPod(@namespace, pod)?.PodIP ?? throw new IOException($"pod {pod} does not run");
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(IPAddress.Parse(address), port, cancellationToken);
            return socket;
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw new IOException($"dial tcp {address}:{port}: connect: {error.Message}", error);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
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

    /// <summary>The same in a terminal, which hangs the program up when the client goes.</summary>
    internal static async Task<int> RunInTerminalAsync(
        ProcessStartInfo start, SessionStreams streams, CancellationToken cancellationToken)
    {
        RequireProgram(start);
        using var terminal = Terminal.Open();
        using var process = Start(terminal.Inside(start));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _ = terminal.FollowAsync(streams.Terminal!, ending.Token);
        _ = terminal.TypeAsync(streams.Input ?? Stream.Null, ending.Token);
        try
        {
            var ended = process.WaitForExitAsync(cancellationToken);
            await terminal.ReadAsync(
                bytes => (streams.Output ?? Stream.Null).WriteAsync(bytes, cancellationToken), ended, cancellationToken);
            await ended;
            return process.ExitCode;
        }
        finally
        {
            await ending.CancelAsync();
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private ContainerProcess Find(string @namespace, string pod, string container, out ContainerRunner runner)
    {
        runner = Node?.FindContainer(@namespace, pod, container)!;
        return runner?.Running
            ?? throw new ApiException(500, "InternalError", $"container not found (\"{container}\"): it does not run");
    }

    // The shell that opens the terminal would say it in its own words and with its own exit code.
    private static void RequireProgram(ProcessStartInfo start)
    {
        var program = start.FileName;
        var isThere = program.Contains('/', StringComparison.Ordinal)
            ? File.Exists(Path.Combine(start.WorkingDirectory, program))
            : (start.Environment["PATH"] ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
        if (!isThere)
        {
            throw new ApiException(500, "InternalError", $"cannot start '{program}': No such file or directory");
        }
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
