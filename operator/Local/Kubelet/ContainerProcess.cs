using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>A running container: a child process whose output goes to a log file. Started and stopped by <see cref="PodRunner"/>.</summary>
/// <remarks>The child's standard input is a pipe that only this process holds: when this process dies, however it dies, the pipe closes and
/// a worker (told so by <see cref="LifelineVariable"/>) ends itself. No orphan survives even a SIGKILL of local mode.</remarks>
internal sealed partial class ContainerProcess : IAsyncDisposable
{
    /// <summary>Set to <c>stdin</c>: end when standard input closes.</summary>
    public const string LifelineVariable = "CLUSTER_LIFELINE";

    private const int SigTerm = 15;

    /// <summary>A container does not inherit its node's environment, but a process here needs to find its runtime, the drivers of devices,
    /// and what it has compiled for them.</summary>
    private static readonly string[] Inherited =
    [
        "PATH", "HOME", "TMPDIR", "DOTNET_ROOT", "LANG", "LD_LIBRARY_PATH", "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES", "CLUSTER_KERNEL_CACHE",
        "XDG_CACHE_HOME", "POCL_CACHE_DIR",
    ];

    private readonly Process _process;
    private readonly ContainerLog _log;
    private readonly Task _output;

    private ContainerProcess(Process process, ContainerLog log)
    {
        _process = process;
        _log = log;
        _output = Task.WhenAll(PumpAsync(process.StandardOutput, "stdout"), PumpAsync(process.StandardError, "stderr"));
    }

    public int Id => _process.Id;

    public DateTimeOffset StartedAt { get; private init; }

    /// <exception cref="PodConfigurationException">The program cannot be started.</exception>
    public static ContainerProcess Start(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string? workingDirectory,
        ContainerLog log, TimeProvider time)
    {
        var start = Prepare(program, arguments, environment, workingDirectory);
        start.Environment[LifelineVariable] = "stdin";
        try
        {
            return new ContainerProcess(Process.Start(start)!, log) { StartedAt = time.GetUtcNow() };
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new PodConfigurationException("RunContainerError", $"cannot start '{program}': {exception.Message}");
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

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _process.Dispose();
    }

    private async Task PumpAsync(StreamReader reader, string stream)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            _log.Append(stream, line);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
