using System.Collections.Concurrent;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Relaying;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;
using Microsoft.Extensions.Logging;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>A worker on loopback with the sample model: the product from its sockets to its logits. What it logs as an error is a
/// failure.</summary>
internal sealed class ServingWorker : IDisposable
{
    /// <summary>Short, so that no request computes for long.</summary>
    private const int MaxModelLength = 256;

    private readonly ErrorLog _log = new();
    private readonly WorkerServer _server;
    private readonly TextEngine _text;

    public ServingWorker()
    {
        var model = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m");
        StartupOptions startup = new(
            model, new DeviceOptions("cpu") { CpuThreads = 1 }, new RankOptions(1, null, TimeSpan.FromMinutes(1)),
            new ModelRunnerOptions { MaxSequences = 16, MaxModelLength = MaxModelLength, MaxBatchedTokens = 512, NumBlocks = 512 },
            new EngineOptions());
        var state = new ServingState(TimeProvider.System);
        _server = WorkerServer.StartAsync(
            new ServerOptions("127.0.0.1", 0, 0, TimeSpan.FromSeconds(5)) { GatewayKey = new GatewayKey("fuzz") }, state, "model",
            logging => logging.SetMinimumLevel(LogLevel.Error).AddProvider(_log), TimeProvider.System, CancellationToken.None)
            .GetAwaiter().GetResult();
        _text = TextEngine.Load(startup, new ModelFolders(model), progress: null, _ => { }, _server.Observer);

        // Branches, calls and tools, which the sample's own template has not.
        ChatTemplate template = new(
            RepositoryFiles.Read("tests/fixtures/seeds/chat-templates/tools.jinja"), null, new Dictionary<string, string>());
        _server.BecomeReady(new ServedModel(["model", "alias"], model, _text.Engine, _text.Tokenizer, template, ["cpu"]));
    }

    public Uri HttpAddress => _server.HttpAddress;

    public Uri GrpcAddress => _server.GrpcAddress;

    /// <exception cref="FuzzFailure">An error was logged since the last call.</exception>
    public void RequireNoErrors()
    {
        if (_log.Errors.TryDequeue(out var error))
        {
            _log.Errors.Clear();
            throw new FuzzFailure("nothing is logged as an error", error);
        }
    }

    public void Dispose()
    {
        _server.DrainAsync().GetAwaiter().GetResult();
        _server.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _text.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private sealed class ErrorLog : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Errors { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                Errors.Enqueue($"{formatter(state, exception)} {exception}");
            }
        }

        public void Dispose()
        {
        }
    }
}
