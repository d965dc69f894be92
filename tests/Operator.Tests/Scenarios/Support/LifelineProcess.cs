using System.Diagnostics;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>A program that ends with this test host, however the host ends: a shell waits at a pipe that only the host holds, and kills the
/// program when it closes. What the program says goes into a file.</summary>
internal sealed class LifelineProcess : IAsyncDisposable
{
    // The program must not hold the pipe itself, and the watcher must not outlive the program.
    private const string Script = """
        exec 3<&0
        "$@" </dev/null 3<&- & child=$!
        { cat <&3 >/dev/null; kill -9 $child; } 2>/dev/null & watcher=$!
        exec 3<&-
        wait $child; status=$?
        kill $watcher 2>/dev/null
        exit $status
        """;

    private readonly Process _shell;
    private readonly StreamWriter _log;

    private LifelineProcess(Process shell, StreamWriter log)
    {
        _shell = shell;
        _log = log;
        shell.OutputDataReceived += Write;
        shell.ErrorDataReceived += Write;
        shell.BeginOutputReadLine();
        shell.BeginErrorReadLine();
    }

    public bool HasExited => _shell.HasExited;

    public static LifelineProcess Start(string program, IEnumerable<string> arguments, string logFile)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Script, "lifeline", program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return new LifelineProcess(Process.Start(start)!, new StreamWriter(logFile) { AutoFlush = true });
    }

    /// <summary>What the end of the host does too: the pipe closes.</summary>
    public void Release() => _shell.StandardInput.Close();

    public async ValueTask DisposeAsync()
    {
        if (!_shell.HasExited)
        {
            _shell.Kill(entireProcessTree: true);
            await _shell.WaitForExitAsync();
        }

        _shell.Dispose();
        await _log.DisposeAsync();
    }

    private void Write(object sender, DataReceivedEventArgs line)
    {
        lock (_log)
        {
            if (line.Data is not null)
            {
                _log.WriteLine(line.Data);
            }
        }
    }
}
