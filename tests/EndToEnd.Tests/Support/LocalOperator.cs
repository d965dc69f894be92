using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Support;

/// <summary>A running <c>cluster-operator local</c>, started as a user starts it, ended as a user ends it.</summary>
internal sealed partial class LocalOperator : IAsyncDisposable
{
    private const int SigInt = 2;
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _welcomed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private LocalOperator(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Add(line.Data);
        process.ErrorDataReceived += (_, line) => Add(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public static string Program { get; } = Path.Combine(
        RepositoryRoot.Path, "operator", "bin", Configuration, "net10.0", "cluster-operator");

    public static string SampleManifest { get; } = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "haiku.yaml");

    public int ProcessId => _process.Id;

    public string Kubeconfig => KubeconfigLine().Match(Output).Groups[1].Value;

    public IReadOnlyList<string> HttpEndpoints => [.. HttpCell().Matches(Output).Select(match => match.Groups[1].Value).Distinct()];

    public IReadOnlyList<string> GrpcEndpoints => [.. GrpcCell().Matches(Output).Select(match => match.Groups[1].Value).Distinct()];

    public string Output
    {
        get
        {
            lock (_lines)
            {
                return string.Join('\n', _lines);
            }
        }
    }

    /// <summary>The build these tests belong to.</summary>
    public static string Configuration => AppContext.BaseDirectory.Contains(
        $"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Debug" : "Release";

    /// <summary>Starts it and waits for the cluster, or with <paramref name="untilReady"/> for the table of replicas.</summary>
    public static Task<LocalOperator> StartAsync(bool untilReady, params string[] arguments) =>
        StartAsync(untilReady, new ProcessStartInfo(Program, ["local", .. arguments]));

    /// <summary>The same as another user, with another folder for temporary files; needs root.</summary>
    public static Task<LocalOperator> StartAsUserAsync(int user, string temporary, bool untilReady, params string[] arguments)
    {
        var start = OtherUser.Command(user, [Program, "local", .. arguments]);
        start.Environment["TMPDIR"] = temporary;
        start.Environment["HOME"] = temporary;
        return StartAsync(untilReady, start);
    }

    private static async Task<LocalOperator> StartAsync(bool untilReady, ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.WorkingDirectory = RepositoryRoot.Path;
        var local = new LocalOperator(Process.Start(start)!);
        try
        {
            await (untilReady ? local._settled : local._welcomed).Task.WaitAsync(StartTimeout);
            return local;
        }
        catch (TimeoutException)
        {
            await local.DisposeAsync();
            throw new TimeoutException($"local mode did not become ready:\n{local.Output}");
        }
    }

    /// <summary>Ctrl-C.</summary>
    /// <returns>Exit code.</returns>
    public async Task<int> InterruptAsync()
    {
        _ = Kill(_process.Id, SigInt);
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        await _process.WaitForExitAsync(late.Token);
        return _process.ExitCode;
    }

    /// <summary>Worker processes of this cluster: children by parent id.</summary>
    public IReadOnlyList<int> Children() => ChildrenOf(_process.Id);

    public static IReadOnlyList<int> ChildrenOf(int parent)
    {
        var children = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var id))
            {
                continue;
            }

            try
            {
                var stat = File.ReadAllText(Path.Combine(folder, "stat"));
                if (int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1]) == parent)
                {
                    children.Add(id);
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Ended while we looked.
            }
        }

        return children;
    }

    public static bool IsRunning(int processId) => Directory.Exists($"/proc/{processId}");

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Kill(int processId, int signal);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            try
            {
                await InterruptAsync();
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
            }
        }

        _process.Dispose();
    }

    private void Add(string? line)
    {
        if (line is null)
        {
            _welcomed.TrySetResult();
            _settled.TrySetResult();
            return;
        }

        lock (_lines)
        {
            _lines.Add(line);
        }

        if (line.Contains("export KUBECONFIG=", StringComparison.Ordinal))
        {
            _welcomed.TrySetResult();
        }

        if (line.Contains("Ctrl-C ends the cluster", StringComparison.Ordinal))
        {
            _settled.TrySetResult();
        }
    }

    [GeneratedRegex(@"export KUBECONFIG=(\S+)")]
    private static partial Regex KubeconfigLine();

    [GeneratedRegex(@"│ (http://127\.[\d.]+:8000) ")]
    private static partial Regex HttpCell();

    [GeneratedRegex(@"│ (127\.[\d.]+:50051) ")]
    private static partial Regex GrpcCell();
}
