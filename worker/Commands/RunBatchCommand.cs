using System.CommandLine;
using System.Net;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Batches;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary><c>run-batch</c>: answers a file of requests in OpenAI's batch format. A run that was ended goes on where it stopped.</summary>
internal static class RunBatchCommand
{
    /// <summary>As many may wait: the run itself bounds what is asked at once, and none of it shall be refused.</summary>
    private const int MaxQueue = 1 << 20;

    public static Command Create()
    {
        var flags = new EngineFlags();
        var input = new Option<string>("--input-file", "-i")
        {
            Description = "File of requests, one JSON object per line: custom_id, method, url, body.",
            Required = true,
            HelpName = "FILE"
        };
        var output = new Option<string>("--output-file", "-o")
        {
            Description = "File of answers. Lines that are in it already are not asked again.",
            Required = true,
            HelpName = "FILE"
        };
        var concurrency = new Option<int?>("--max-concurrency")
        {
            Description = "Maximum number of requests that run at once. Default: --max-num-seqs.",
            HelpName = "N"
        }.Between(1);
        var names = WorkerFlags.ServedModelName.Texts();
        var chatTemplate = ServingFlags.ChatTemplate();
        var command = new Command(
            "run-batch",
            "Answers a file of requests in OpenAI's batch format, with every endpoint that serve has. Run it again to go on where a run "
            + "was ended.") { input, output, concurrency, names, chatTemplate };
        var formats = new OutputFlags();
        formats.AddTo(command);
        flags.AddTo(command);
        command.SetAction((arguments, cancellationToken) =>
        {
            var startup = StartupArguments.Read(flags, arguments);
            startup = startup with
            {
                ChatTemplate = arguments.GetValue(chatTemplate),
                Engine = startup.Engine with { MaxQueue = MaxQueue },
            };
            return RunAsync(
                startup,
                arguments.GetValue(names) is { Length: > 0 } given ? given : [ModelFolder.SourceOf(startup).DefaultName],
                arguments.GetRequiredValue(input), arguments.GetRequiredValue(output),
                arguments.GetValue(concurrency) ?? startup.Engine.MaxNumSeqs, template => formats.Read(arguments, template),
                cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(
        StartupOptions startup, IReadOnlyList<string> names, string input, string output, int concurrency,
        Func<IChatTemplate?, OutputFormats> formatsOf, CancellationToken cancellationToken)
    {
        if (!File.Exists(input))
        {
            // Before a model is loaded for it.
            throw new CommandFailure($"--input-file {input}: there is no such file");
        }

        var folders = await ModelFolder.PrepareAsync(startup, Console.Error.WriteLine, cancellationToken);
        var api = new InProcessServer();
        var options = new ServerOptions(IPAddress.Loopback.ToString(), Port: 0, GrpcPort: 0, TimeSpan.Zero);
        await using var server = await WorkerServer.StartAsync(
            options, new ServingState(TimeProvider.System), names[0], WorkerLogging.Configure, TimeProvider.System, cancellationToken, api);
        await using var worker = LoadBar.Run(
            progress => TextEngine.Load(startup, folders, progress, Console.Error.WriteLine, server.Observer));
        server.BecomeReady(
            new ServedModel(names, startup.Model, worker.Engine, worker.Tokenizer, worker.ChatTemplate, worker.Devices)
            {
                Formats = formatsOf(worker.ChatTemplate),
                Defaults = worker.Defaults,
            });
        var summary = await CountBar.RunAsync(
            "batch",
            report => new BatchRun(api, concurrency, options.MaxRequestBytes).RunAsync(input, output, report, cancellationToken));
        await Console.Error.WriteLineAsync(
            $"{summary.Total} requests, {summary.Before} of them answered by earlier runs, {summary.Failed} answered with an error now: "
            + output);
        return 0;
    }
}
