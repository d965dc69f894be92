using System.Diagnostics;
using System.Runtime.InteropServices;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>A running container: a child process whose output goes to a log file. Started and stopped by <see cref="PodRunner"/>.</summary>
/// <remarks>The child's standard input is a pipe that only this process holds: when this process dies, however it dies, the pipe closes and
/// a worker (told so by <see cref="LifelineVariable"/>) ends itself. No orphan survives even a SIGKILL of local mode.</remarks>
internal sealed partial class ContainerProcess : IAsyncDisposable
{
    /// <summary>Set to <c>stdin</c>: end when standard input closes.</summary>
    public const string LifelineVariable = "CLUSTER_LIFELINE";

    private const int SigTerm = 15;
    private const int SigKill = 9;

    /// <summary>A container does not inherit its node's environment, but a process here needs to find its runtime, the drivers of devices,
    /// and what it has compiled for them.</summary>
    private static readonly string[] Inherited =
    [
        "PATH", "HOME", "TMPDIR", "DOTNET_ROOT", "LANG", "LD_LIBRARY_PATH", "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES", "CLUSTER_KERNEL_CACHE",
        "XDG_CACHE_HOME", "POCL_CACHE_DIR",
    ];

    private readonly Process _process;
    private readonly Terminal? _terminal;
    private readonly OutputFan _printed;
    private readonly Task _output;
    private readonly bool _endsWithFirstInput;

    private ContainerProcess(Process process, Terminal? terminal, ContainerLog log, bool endsWithFirstInput)
    {
        _process = process;
        _terminal = terminal;
        _printed = new OutputFan(log);
        _endsWithFirstInput = endsWithFirstInput;
        _output = PumpAsync();
    }

    public int Id => _process.Id;

    public DateTimeOffset StartedAt { get; private init; }

    /// <param name="spec">Its environment, its working directory, and whether it has a terminal.</param>
    /// <exception cref="PodConfigurationException">The program cannot be started.</exception>
    public static ContainerProcess Start(
        string program, IEnumerable<string> arguments, ContainerSpec spec, ContainerLog log, TimeProvider time)
    {
        Terminal? terminal = null;
        try
        {
            var start = Prepare(program, arguments, spec.Environment, spec.WorkingDirectory);
            if (spec.HasTerminal)
            {
                // Closing the terminal hangs the program up: it is a lifeline too.
                terminal = Terminal.Open();
                start = terminal.Inside(start);
            }
            else
            {
                start.Environment[LifelineVariable] = "stdin";
            }

            return new ContainerProcess(Process.Start(start)!, terminal, log, spec.StdinOnce) { StartedAt = time.GetUtcNow() };
        }
        catch (Exception exception) when (exception is System.ComponentModel.Win32Exception or IOException)
        {
            terminal?.Dispose();
            throw new PodConfigurationException("RunContainerError", $"cannot start '{program}': {exception.Message}");
        }
    }

    /// <summary>Joins what the program prints and reads, until it ends (<c>kubectl attach</c>).</summary>
    /// <exception cref="OperationCanceledException">The client went.</exception>
    public async Task AttachAsync(SessionStreams streams, CancellationToken cancellationToken)
    {
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var printed = _printed.Listen();
        try
        {
            if (_terminal is not null)
            {
                _ = streams.Terminal is { } sizes ? _terminal.FollowAsync(sizes, leaving.Token) : Task.CompletedTask;
                _ = streams.Input is { } typed ? _terminal.TypeAsync(typed, leaving.Token) : Task.CompletedTask;
            }
            else if (streams.Input is { } input)
            {
                _ = FeedAsync(input, leaving.Token);
            }

            await foreach (var (stream, bytes) in printed.ReadAllAsync(cancellationToken))
            {
                var target = stream == "stderr" && streams.Terminal is null ? streams.Error : streams.Output;
                await (target ?? Stream.Null).WriteAsync(bytes, cancellationToken);
            }
        }
        finally
        {
            _printed.Leave(printed);
            await leaving.CancelAsync();
        }
    }

    /// <summary>A program with the environment of a container, all its streams redirected.</summary>
    public static ProcessStartInfo Prepare(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string? workingDirectory)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? "/",
        };

        foreach (var name in start.Environment.Keys.Except(Inherited).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <summary>Waits for the end of the process and of its output.</summary>
    /// <returns>Exit code, 128 + n for signal n.</returns>
    public async Task<int> WaitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        await _output.WaitAsync(cancellationToken);
        return _process.ExitCode;
    }

    /// <summary>SIGTERM, then SIGKILL when <paramref name="grace"/> is over.</summary>
    public async Task<int> StopAsync(TimeSpan grace)
    {
        if (!_process.HasExited)
        {
            _ = Kill(_process.Id, SigTerm);
        }

        using var late = new CancellationTokenSource(grace);
        try
        {
            await _process.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
        }

        return await WaitAsync(CancellationToken.None);
    }

    /// <summary>SIGKILL to the process itself, as an out-of-memory kill would: what it has started is its own business.</summary>
    /// <returns>False when it had ended already.</returns>
    public bool KillNow()
    {
        try
        {
            return !_process.HasExited && Kill(_process.Id, SigKill) == 0;
        }
        catch (InvalidOperationException)
        {
            return false; // Disposed of in this moment.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _terminal?.Dispose();
        _process.Dispose();
    }

    private async Task PumpAsync()
    {
        await (_terminal is null
            ? Task.WhenAll(PumpAsync(_process.StandardOutput, "stdout"), PumpAsync(_process.StandardError, "stderr"))
            : _terminal.ReadAsync(
                bytes =>
                {
                    _printed.Print("stdout", bytes.Span);
                    return ValueTask.CompletedTask;
                },
                _process.WaitForExitAsync(), CancellationToken.None));
        _printed.End();
    }

    private async Task PumpAsync(StreamReader reader, string stream)
    {
        var buffer = new byte[8 * 1024];
        while (await reader.BaseStream.ReadAsync(buffer) is > 0 and var length)
        {
            _printed.Print(stream, buffer.AsSpan(0, length));
        }
    }

    private async Task FeedAsync(Stream input, CancellationToken cancellationToken)
    {
        try
        {
            var target = _process.StandardInput.BaseStream;
            await input.CopyToAsync(target, cancellationToken);
            if (_endsWithFirstInput)
            {
                await target.DisposeAsync();
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException
            or InvalidOperationException)
        {
            // The client or the program has gone.
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
