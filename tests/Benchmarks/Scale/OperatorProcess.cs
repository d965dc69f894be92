using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Benchmarks.Scale;

/// <summary>The operator as <c>cluster-operator run</c> starts it on a cluster, and what it has used so far. Linux: it reads
/// <c>/proc</c>.</summary>
internal sealed partial class OperatorProcess : IAsyncDisposable
{
    /// <summary>USER_HZ: what <c>/proc/PID/stat</c> counts in, on every architecture .NET runs on.</summary>
    private const double TicksASecond = 100;

    private const int RememberedLines = 20;

    private readonly Process _process;
    private readonly HttpClient _http = new();
    private readonly Queue<string> _lines = new();
    private readonly Uri _metrics;

    private OperatorProcess(Process process, int port)
    {
        _process = process;
        _metrics = new Uri($"http://127.0.0.1:{port}/metrics");
        process.OutputDataReceived += (_, line) => Remember(line.Data);
        process.ErrorDataReceived += (_, line) => Remember(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>The last lines it has logged.</summary>
    public string LastLines
    {
        get
        {
            lock (_lines)
            {
                return string.Join('\n', _lines);
            }
        }
    }

    public static OperatorProcess Start(string kubeconfig)
    {
        var port = FreePort.Next();
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "cluster-operator.dll"), "run", "--kubeconfig", kubeconfig, "--worker-image",
            "worker:benchmark", "--model-path-prefix", "/models",
            "--leader-elect", "false", "--metrics-port", port.ToString(CultureInfo.InvariantCulture),
        ];
        var start = new ProcessStartInfo(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            arguments)
        { RedirectStandardOutput = true, RedirectStandardError = true };

        // Compiling again what is hot takes seconds of CPU, whatever the size of the cluster: it would hide how the rest grows.
        start.Environment["DOTNET_TieredCompilation"] = "0";
        return new OperatorProcess(Process.Start(start)!, port);
    }

    public bool HasExited => _process.HasExited;

    /// <summary>User and system time since it started.</summary>
    public double CpuSeconds
    {
        get
        {
            // The name in parentheses may hold spaces; utime and stime are the 14th and 15th field.
            var stat = File.ReadAllText($"/proc/{_process.Id}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture))
                / TicksASecond;
        }
    }

    /// <summary>VmHWM.</summary>
    public double PeakMiB
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024.0;
        }
    }

    /// <summary>What its own metrics count: requests to the API server so far by HTTP method, and reconciles.</summary>
    public async Task<(Dictionary<string, long> Requests, long Reconciles)> CountsAsync(CancellationToken cancellationToken)
    {
        var text = await _http.GetStringAsync(_metrics, cancellationToken);
        var requests = RequestSeries().Matches(text).GroupBy(series => series.Groups["method"].Value)
            .ToDictionary(method => method.Key, method => method.Sum(Count));
        return (requests, ReconcileSeries().Matches(text).Sum(Count));

        static long Count(Match series) => long.Parse(series.Groups["count"].Value, CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private void Remember(string? line)
    {
        lock (_lines)
        {
            _lines.Enqueue(line ?? "");
            if (_lines.Count > RememberedLines)
            {
                _lines.Dequeue();
            }
        }
    }

    [GeneratedRegex("""^rest_client_requests_total\{.*method="(?<method>[^"]+)".*\} (?<count>\d+)$""", RegexOptions.Multiline)]
    private static partial Regex RequestSeries();

    [GeneratedRegex("""^controller_runtime_reconcile_total\{.*\} (?<count>\d+)$""", RegexOptions.Multiline)]
    private static partial Regex ReconcileSeries();
}
