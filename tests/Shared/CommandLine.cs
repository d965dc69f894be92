using System.Diagnostics;
using System.Text;

namespace Cluster.Tests.Shared;

/// <summary>Runs a program to its end, within a time.</summary>
internal static class CommandLine
{
    /// <param name="timeout">Two minutes unless told.</param>
    /// <param name="folder">Where it runs: the repository's root unless told.</param>
    /// <exception cref="TimeoutException">It did not end in time; it is killed, with what it started.</exception>
    public static async Task<CommandResult> RunAsync(
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null,
        string? input = null,
        TimeSpan? timeout = null,
        string? folder = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? RepositoryRoot.Path,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = new StringBuilder();
        var error = new StringBuilder();
        var reading = Task.WhenAll(ReadAsync(process.StandardOutput, output), ReadAsync(process.StandardError, error));
        if (input is not null)
        {
            await process.StandardInput.WriteAsync(input);
        }

        process.StandardInput.Close();
        using var late = new CancellationTokenSource(timeout ?? TimeSpan.FromMinutes(2));
        try
        {
            await process.WaitForExitAsync(late.Token);
            await reading.WaitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            lock (output)
            {
                lock (error)
                {
                    throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end in time\n{output}\n{error}");
                }
            }
        }

        return new CommandResult(process.ExitCode, output.ToString(), error.ToString());
    }

    /// <summary>Full path of a program on PATH; null when there is none.</summary>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);

    private static async Task ReadAsync(StreamReader stream, StringBuilder text)
    {
        var buffer = new char[4096];
        for (var read = await stream.ReadAsync(buffer); read > 0; read = await stream.ReadAsync(buffer))
        {
            lock (text)
            {
                text.Append(buffer, 0, read);
            }
        }
    }
}
