using System.Diagnostics;
using System.Globalization;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Sources;

namespace Cluster.Benchmarks.Compare;

/// <summary>Both sides as servers: how soon they are ready, and what streaming clients get from them over loopback, the same client for
/// both.</summary>
internal sealed class ServerRows(CompareRun run)
{
    private const int InputLength = 64;
    private const int OutputLength = 32;
    private const int Slots = 32;
    private const int Context = 128;

    /// <summary>Process start to ready with the model's files in the page cache, and the memory that the process has then. Of the published
    /// worker; where it cannot be published the rows say that they are of the build.</summary>
    public async Task StartAsync(CompareRow time, CompareRow memory, CancellationToken cancellationToken)
    {
        const string Shape = "llama-1b";
        var folder = Folder(Shape);
        run.Say("publishing the worker");
        var (published, whyNot) = await PublishedWorker.PublishAsync(Path.Combine(run.Options.Work, "worker"));
        if (whyNot is not null)
        {
            await Console.Error.WriteLineAsync($"the build is measured, which compiles itself as it starts: {whyNot}");
        }

        var which = published is null ? "not published" : "published";
        (time, memory) = (time with { Title = $"{time.Title}, {which}" }, memory with { Title = $"{memory.Title}, {which}" });
        var file = run.Peer is null ? null : new ModelRows(run).Gguf(Shape, GgufType.BF16);
        List<double> ours = [], peers = [], ourMemory = [], peerMemory = [];
        for (var round = 0; round <= run.Options.Runs; round++)
        {
            run.Say($"{time.Title}: round {round} of {run.Options.Runs}");
            await using (var server = await OwnAsync(folder, cancellationToken, published, "--max-model-len", "8192"))
            {
                Add(round, server, ours, ourMemory);
            }

            if (file is not null)
            {
                await using var server = await run.Peer!.ServeAsync(file, 1, 8192, run.Options.Threads, cancellationToken);
                Add(round, server, peers, peerMemory);
            }
        }

        run.Report(new RowResult(time, ours, peers));
        run.Report(new RowResult(memory, ourMemory, peerMemory));
    }

    /// <summary>Output tokens a second, and the time to the first, by clients.</summary>
    public async Task ServeAsync(IReadOnlyList<(CompareRow Rate, CompareRow First, int Clients)> rows, CancellationToken cancellationToken)
    {
        const string Shape = "llama-135m";
        await using var ours = await OwnAsync(
            $"synthetic:{Shape}", cancellationToken, published: null, "--max-model-len", "2048", "--max-num-seqs", "64");
        await using var peer = run.Peer is null
            ? null
            : await run.Peer.ServeAsync(
                new ModelRows(run).Gguf(Shape, GgufType.BF16), Slots, Context, run.Options.Threads, cancellationToken);
        foreach (var (rate, first, clients) in rows)
        {
            List<ServeMetrics> own = [], other = [];
            for (var round = 0; round <= run.Options.Runs; round++)
            {
                run.Say($"{rate.Title}: round {round} of {run.Options.Runs}");
                var mine = await LoadAsync(ours.Address, clients, round, cancellationToken);
                var theirs = peer is null ? null : await LoadAsync(peer.Address, clients, round, cancellationToken);
                if (round > 0)
                {
                    own.Add(mine);
                    other.AddRange(theirs is null ? [] : [theirs]);
                }
            }

            Report(rate, metrics => metrics.OutputThroughput);
            Report(first, metrics => metrics.TimeToFirstToken.Median);

            void Report(CompareRow row, Func<ServeMetrics, double> figure)
            {
                if (run.Options.Wants(row))
                {
                    run.Report(new RowResult(row, [.. own.Select(figure)], [.. other.Select(figure)]));
                }
            }
        }
    }

    private static void Add(int round, ServerProcess? server, List<double> seconds, List<double> gigabytes)
    {
        // The first brings the files into the page cache.
        if (round > 0 && server is not null)
        {
            seconds.Add(server.ReadySeconds);
            gigabytes.Add(server.ResidentGigabytes);
        }
    }

    private static async Task<ServeMetrics> LoadAsync(Uri address, int clients, int seed, CancellationToken cancellationToken)
    {
        using var http = CompletionClient.CreateHttpClient(apiKey: null);
        var client = new CompletionClient(
            http, CompletionClient.At(address, "/v1/completions"), "synthetic:llama-135m", ignoreEos: true, TimeProvider.System);
        var prompts = new RandomDataset([.. Enumerable.Range(300, 40_000)], new Random(1000 + seed))
            .Draw(Math.Max(4, 2 * clients), InputLength, OutputLength);
        var (requests, seconds) = await ServeRun.RunAsync(
            client.SendAsync, prompts, new double[prompts.Count], clients, progress: null, TimeProvider.System, cancellationToken);
        var metrics = new ServeMetrics(requests, seconds, goodput: null);
        return metrics.Failed == 0
            ? metrics
            : throw new IOException($"{metrics.Failed} requests to {address} failed: {metrics.FirstError}");
    }

    /// <summary>Our server as a process of its own.</summary>
    /// <param name="published">The program; null for the build.</param>
    private Task<ServerProcess> OwnAsync(string model, CancellationToken cancellationToken, string? published, params string[] arguments)
    {
        var (http, grpc) = (FreePort.Next(), FreePort.Next());
        string[] line =
        [
            .. published is null ? (string[])[Path.Combine(AppContext.BaseDirectory, "cluster-worker.dll")] : [],
            "serve", "--model", model, "--host", "127.0.0.1",
            "--port", http.ToString(CultureInfo.InvariantCulture), "--grpc-port", grpc.ToString(CultureInfo.InvariantCulture),
            "--cpu-threads", run.Options.Threads.ToString(CultureInfo.InvariantCulture), .. arguments,
        ];
        var start = new ProcessStartInfo(published ?? Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", line)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["CLUSTER_LIFELINE"] = "stdin" },
        };
        return ServerProcess.StartAsync(start, new Uri($"http://127.0.0.1:{http}"), cancellationToken, "/ready");
    }

    /// <summary>A checkpoint on disk, written once.</summary>
    private string Folder(string shape)
    {
        var folder = Path.Combine(run.Options.Work, shape);
        var weights = Path.Combine(folder, Checkpoint.SingleFile);
        if (!File.Exists(weights))
        {
            run.Say($"writing {folder}");
            Directory.CreateDirectory(folder);
            var model = SyntheticModel.Find($"synthetic:{shape}");
            foreach (var name in model.Names)
            {
                File.WriteAllBytes(Path.Combine(folder, name), model.Read(name));
            }

            CheckpointWriter.Write(weights, model.Weights(), model.EmptyWeights());
        }

        return folder;
    }
}
