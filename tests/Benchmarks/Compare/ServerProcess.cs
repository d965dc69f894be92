using System.Diagnostics;
using System.Globalization;

namespace Cluster.Benchmarks.Compare;

/// <summary>A server of either side, from its start until it answers, and to its end.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private const int RememberedLines = 20;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    private readonly Process _process;
    private readonly Queue<string> _lines = new();

    private ServerProcess(Process process, Uri address)
    {
        (_process, Address) = (process, address);
        process.OutputDataReceived += (_, line) => Remember(line.Data);
        process.ErrorDataReceived += (_, line) => Remember(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public Uri Address { get; }

    /// <summary>From its start until it answered.</summary>
    public double ReadySeconds { get; private set; }

    /// <summary>VmRSS. Linux.</summary>
    public double ResidentGigabytes
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
            return 1024e-9 * long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
    }

    /// <param name="path">Answers 200 when it is ready.</param>
    /// <exception cref="IOException">It ended, or was not ready in time.</exception>
    public static async Task<ServerProcess> StartAsync(
        ProcessStartInfo start, Uri address, CancellationToken cancellationToken, string path = "/health")
    {
        var clock = Stopwatch.StartNew();
        var server = new ServerProcess(Process.Start(start)!, address);
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        try
        {
            while (!await AnswersAsync(http, new Uri(address, path), cancellationToken))
            {
                if (server._process.HasExited || clock.Elapsed > Limit)
                {
                    throw new IOException($"{start.FileName} is not ready after {clock.Elapsed.TotalSeconds:F0} s:\n{server.LastLines()}");
                }

                await Task.Delay(Pause, cancellationToken);
            }

            server.ReadySeconds = clock.Elapsed.TotalSeconds;
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private static async Task<bool> AnswersAsync(HttpClient http, Uri address, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await http.GetAsync(address, cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private void Remember(string? line)
    {
        lock (_lines)
        {
            if (line is not null)
            {
                _lines.Enqueue(line);
            }

            if (_lines.Count > RememberedLines)
            {
                _lines.Dequeue();
            }
        }
    }

    private string LastLines()
    {
        lock (_lines)
        {
            return string.Join('\n', _lines);
        }
    }
}
