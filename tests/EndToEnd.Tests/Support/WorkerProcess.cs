using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Support;

/// <summary>A running <c>cluster-worker serve</c> on free loopback ports, started as a pod starts it and ended as a kubelet ends
/// it.</summary>
internal sealed partial class WorkerProcess : IAsyncDisposable
{
    private const int SigKill = 9;
    private const int SigTerm = 15;
    private const int SigContinue = 18;
    private const int SigStop = 19;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly Task _readings;
    private readonly List<string> _lines = [];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient _http = new();

    private WorkerProcess(Process process)
    {
        _process = process;
        _readings = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
    }

    /// <summary>The build these tests belong to.</summary>
    public static string Program { get; } = Path.Combine(
        RepositoryRoot.Path, "worker", "bin", LocalOperator.Configuration, "net10.0", "cluster-worker");

    public static string SampleModel { get; } = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m");

    public int ProcessId => _process.Id;

    /// <summary>Base address of the HTTP API.</summary>
    public Uri Http => new(Listening().Match(Output).Groups[1].Value);

    /// <summary>Address of the gRPC services.</summary>
    public Uri Grpc => new(Listening().Match(Output).Groups[2].Value);

    /// <summary>What it has logged.</summary>
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

    /// <summary>Most memory it has had resident so far.</summary>
    public long PeakResidentBytes
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return 1024 * long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Memory it has resident now.</summary>
    public long ResidentBytes
    {
        get
        {
            var pages = File.ReadAllText($"/proc/{_process.Id}/statm").Split(' ')[1];
            return Environment.SystemPageSize * long.Parse(pages, CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Starts it with the sample model and waits until it is ready.</summary>
    /// <param name="arguments">Beside model and ports.</param>
    public static Task<WorkerProcess> StartAsync(params string[] arguments) => StartModelAsync(SampleModel, arguments);

    /// <summary>The same with another folder.</summary>
    public static Task<WorkerProcess> StartModelAsync(string model, params string[] arguments) =>
        StartAsync(model, new Dictionary<string, string>(), arguments);

    /// <summary>The same with variables of its own.</summary>
    public static Task<WorkerProcess> StartAsync(
        string model, IReadOnlyDictionary<string, string> environment, params string[] arguments) =>
        StartLineAsync(["serve", "--model", model, .. arguments], environment);

    /// <summary>The same with a whole command line, whatever ports it names: the last of a repeated option counts.</summary>
    public static async Task<WorkerProcess> StartLineAsync(
        IReadOnlyList<string> line, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(Program, [.. line, "--port", "0", "--grpc-port", "0"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,

            // Not even a killed test run leaves a worker behind.
            Environment = { ["CLUSTER_LIFELINE"] = "stdin" },
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var worker = new WorkerProcess(Process.Start(start)!);
        try
        {
            await worker._ready.Task.WaitAsync(Limit);
            return worker;
        }
        catch (Exception exception)
        {
            await worker.DisposeAsync();
            throw new InvalidOperationException($"the worker did not become ready: {exception.Message}\n{worker.Output}", exception);
        }
    }

    /// <summary>Values of <c>/metrics</c> now: every sample by name and labels as they stand there.</summary>
    public async Task<IReadOnlyDictionary<string, double>> MetricsAsync()
    {
        var page = await _http.GetStringAsync(new Uri(Http, "/metrics"));
        return page.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != '#')
            .ToDictionary(
                line => line[..line.LastIndexOf(' ')],
                line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }

    /// <summary>The sum of one metric's samples.</summary>
    public async Task<double> MetricAsync(string name) =>
        (await MetricsAsync()).Where(sample => sample.Key == name || sample.Key.StartsWith(name + '{', StringComparison.Ordinal))
            .Sum(sample => sample.Value);

    /// <summary>Whether nothing runs, nothing waits and no KV block is held.</summary>
    public async Task<bool> IsIdleAsync() =>
        await MetricAsync("vllm:num_requests_running") + await MetricAsync("vllm:num_requests_waiting")
            + await MetricAsync("vllm:kv_cache_usage_perc") == 0;

    /// <summary>Whether a TCP connection to the HTTP port is accepted.</summary>
    public async Task<bool> AcceptsConnectionsAsync()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(Http.Host, Http.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>SIGTERM, as a kubelet sends it.</summary>
    public void Terminate() => LocalOperator.Kill(_process.Id, SigTerm);

    /// <summary>SIGKILL, as the kernel sends it when memory runs out.</summary>
    public void Kill() => LocalOperator.Kill(_process.Id, SigKill);

    /// <summary>SIGSTOP: it does nothing at all until <see cref="Continue"/>.</summary>
    public void Stop() => LocalOperator.Kill(_process.Id, SigStop);

    public void Continue() => LocalOperator.Kill(_process.Id, SigContinue);

    /// <returns>Exit code.</returns>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Limit);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _readings;
        _http.Dispose();
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_lines)
            {
                _lines.Add(line);
            }

            if (line.Contains(" ready: serving ", StringComparison.Ordinal))
            {
                _ready.TrySetResult();
            }
        }

        _ready.TrySetException(new InvalidOperationException("it ended"));
    }

    [GeneratedRegex(@"listening: HTTP (\S+) gRPC (\S+);")]
    private static partial Regex Listening();
}
