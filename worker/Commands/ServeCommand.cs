using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Serving.Telemetry;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary><c>serve</c>: the long-running worker. Listens first, loads, becomes ready; on SIGTERM drains and exits 0.</summary>
internal static class ServeCommand
{
    /// <summary>Set to <c>stdin</c> by whoever starts this worker as a child: when standard input closes, the parent is gone and the worker
    /// stops too.</summary>
    private const string LifelineVariable = "CLUSTER_LIFELINE";

    public static Command Create()
    {
        var flags = new EngineFlags();
        var names = WorkerFlags.ServedModelName.Texts();
        var serving = new ServingFlags();
        var formats = new OutputFlags();
        var chatTemplate = ServingFlags.ChatTemplate();
        var command = new Command(
            "serve",
            "Serves a model over gRPC and the OpenAI HTTP API until it is told to stop (SIGTERM, Ctrl-C). Takes the command lines of vllm "
            + "serve and of text-generation-launcher, too: underscores for dashes, the beginning of an option, the last of a repeated one; "
            + "what has no effect here is told, and what is not possible is refused with what to use instead.")
        {
            names,
            chatTemplate,
        };
        serving.AddTo(command);
        formats.AddTo(command);
        flags.AddTo(command, isModelPositional: true);
        command.SetAction(arguments =>
        {
            var startup = StartupArguments.Read(flags, arguments);
            startup = startup with
            {
                Device = startup.Device with { ExactGpus = true },
                ChatTemplate = arguments.GetValue(chatTemplate),
                Engine = startup.Engine with { ProbeInterval = serving.ProbeInterval(arguments) },
            };
            return RunAsync(
                startup,
                arguments.GetValue(names) is { Length: > 0 } given ? given : [ModelFolder.SourceOf(startup).DefaultName],
                serving.Read(arguments, Environment.GetEnvironmentVariable) with { Telemetry = ReadTelemetry() },
                template => formats.Read(arguments, template));
        });
        return command;
    }

    private static async Task<int> RunAsync(
        StartupOptions startup, IReadOnlyList<string> names, ServerOptions options, Func<IChatTemplate?, OutputFormats> formatsOf)
    {
        using var logging = LoggerFactory.Create(WorkerLogging.Configure);
        var logger = logging.CreateLogger("cluster.worker");
        var stopping = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Stop(context, "SIGTERM"));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Stop(context, "SIGINT"));
        WatchLifeline(stopping);

        void Stop(PosixSignalContext context, string signal)
        {
            context.Cancel = true;
            stopping.TrySetResult(signal);
        }

        void Log(string line) => logger.LogInformation("{Line}", line);

        var given = startup.Ranks.Devices;
        var state = new ServingState(TimeProvider.System);

        // While the server starts, which takes as long. Weights and devices wait until the ports are known to be free.
        using var downloading = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            var folders = await ModelFolder.PrepareAsync(startup, Log, downloading.Token);
            return (Folders: folders, Text: ModelText.Load(startup, folders, Log));
        });
        await using var server = await StartServerAsync(options, state, names[0], downloading);
        logger.LogInformation(
            "listening: HTTP {Http} gRPC {Grpc}; devices {Devices}", server.HttpAddress, server.GrpcAddress,
            string.Join(',', given ?? [startup.Device.Name]));

        AddressFile.Write(server.HttpAddress, Environment.GetEnvironmentVariable, Log);

        var loading = Task.Run(async () =>
        {
            var (folders, text) = await reading;
            var loaded = TextEngine.Load(
                startup, folders, new LoadLines(Log, TimeProvider.System), Log, server.Observer, text: text);
            await KnownAnswers.AwaitFirstAsync(loaded.Engine, startup.Engine.ProbeInterval, logger);
            return loaded;
        });
        if (await Task.WhenAny(loading, stopping.Task) == stopping.Task)
        {
            logger.LogInformation("{Signal} while loading: stopping", await stopping.Task);
            await downloading.CancelAsync();
            return 0;
        }

        await using var worker = await loading;
        var formats = formatsOf(worker.ChatTemplate);
        logger.LogInformation("tool calls: {Tools}; reasoning: {Reasoning}", formats.Tools.Name, formats.Reasoning?.Name ?? "none");
        var devices = given ?? worker.Devices;
        server.BecomeReady(
            new ServedModel(names, startup.Model, worker.Engine, worker.Tokenizer, worker.ChatTemplate, devices)
            {
                Formats = formats,
                Defaults = worker.Defaults,
            });
        var (bytes, seconds) = (worker.WeightBytes * 1e-9, SinceStart().TotalSeconds);
        logger.LogInformation(
            "ready: serving {Names} {Seconds:F2} s after the process started, with {Gigabytes:F2} GB of weights ({Rate:F2} GB/s)",
            string.Join(", ", names), seconds, bytes, bytes / seconds);

        _ = KnownAnswers.WatchAsync(worker.Engine, state, devices, logger);
        var failed = ServingEnd.FailureAsync(worker.Engine.Completion, worker.Ranks?.Lost);
        return await ServingEnd.AwaitAsync(server, stopping.Task, failed, options.ShutdownTimeout, logger);
    }

    /// <param name="downloading">Cancelled where the server cannot start: nobody will serve the model then.</param>
    private static async Task<WorkerServer> StartServerAsync(
        ServerOptions options, ServingState state, string name, CancellationTokenSource downloading)
    {
        try
        {
            return await WorkerServer.StartAsync(
                options, state, name, WorkerLogging.Configure, TimeProvider.System, CancellationToken.None);
        }
        catch
        {
            await downloading.CancelAsync();
            throw;
        }
    }

    /// <summary>Time since the process was started, the runtime's own start included.</summary>
    private static TimeSpan SinceStart()
    {
        using var process = Process.GetCurrentProcess();
        return TimeProvider.System.GetUtcNow() - process.StartTime.ToUniversalTime();
    }

    /// <exception cref="CommandFailure">A variable has a value nobody could act on.</exception>
    private static TelemetryOptions? ReadTelemetry()
    {
        try
        {
            return TelemetryOptions.Read(new ConfigurationBuilder().AddEnvironmentVariables().Build());
        }
        catch (FormatException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }
    }

    private static void WatchLifeline(TaskCompletionSource<string> stopping)
    {
        if (Environment.GetEnvironmentVariable(LifelineVariable) != "stdin")
        {
            return;
        }

        var thread = new Thread(() =>
        {
            using var input = Console.OpenStandardInput();
            Span<byte> ignored = stackalloc byte[64];
            while (input.Read(ignored) > 0)
            {
            }

            stopping.TrySetResult("parent gone");
        })
        {
            IsBackground = true,
            Name = "lifeline",
        };
        thread.Start();
    }
}
