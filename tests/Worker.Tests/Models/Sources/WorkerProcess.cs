using System.Collections.Concurrent;
using System.Diagnostics;
using Cluster.Worker.Commands;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>The worker's command line in a process of its own, pointed at a fake hub.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Channel _lines = new();
    private readonly Task<string> _errors;
    private readonly Task _reading;

    public WorkerProcess(HubTest hub, params string[] arguments)
    {
        var start = new ProcessStartInfo(
            Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet",
            [typeof(EngineFlags).Assembly.Location, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(
            name => name.StartsWith("HF_", StringComparison.Ordinal) || name.StartsWith("HUGGING", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        start.Environment["HF_ENDPOINT"] = hub.Hub.Address.AbsoluteUri;
        start.Environment["HF_HOME"] = Path.GetDirectoryName(hub.CacheFolder);
        start.Environment["HF_TOKEN"] = hub.Hub.Token;
        start.Environment["CLUSTER_LIFELINE"] = "stdin";
        _process = Process.Start(start)!;
        _errors = _process.StandardError.ReadToEndAsync();
        _reading = ReadAsync();
    }

    /// <summary>Waits for a line on standard output.</summary>
    public async Task<string> LineAsync(string part, CancellationToken cancellationToken)
    {
        while (true)
        {
            var line = await _lines.NextAsync(cancellationToken)
                ?? throw new EndOfStreamException($"the worker ended without saying '{part}': {await _errors}");
            if (line.Contains(part, StringComparison.Ordinal))
            {
                return line;
            }
        }
    }

    /// <summary>Closes standard input, which tells a serving worker to stop.</summary>
    public void Stop() => _process.StandardInput.Close();

    /// <summary>Waits for the end.</summary>
    public async Task<(int ExitCode, string Output, string Errors)> EndAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        await _reading;
        return (_process.ExitCode, string.Join('\n', _lines.All), await _errors);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _process.Dispose();
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            _lines.Add(line);
        }

        _lines.Add(null);
    }

    /// <summary>Lines to wait for, all of which are kept.</summary>
    private sealed class Channel
    {
        private readonly System.Threading.Channels.Channel<string?> _next = System.Threading.Channels.Channel.CreateUnbounded<string?>();

        public ConcurrentQueue<string> All { get; } = new();

        public void Add(string? line)
        {
            if (line is not null)
            {
                All.Enqueue(line);
            }

            _next.Writer.TryWrite(line);
        }

        public async Task<string?> NextAsync(CancellationToken cancellationToken) => await _next.Reader.ReadAsync(cancellationToken);
    }
}
