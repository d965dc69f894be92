using System.Text.Json.Nodes;
using Cluster.Common.Files;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Spectre.Console;

namespace Cluster.Benchmarks.Compare;

/// <summary><c>compare</c>: the worker beside llama.cpp, group by group of rows.</summary>
/// <param name="peer">Null where it is not to be had.</param>
internal sealed class CompareRun(
    CompareOptions options, IPeer? peer, MachineCeilings ceilings, Action<string> say, Action<RowResult> report)
{
    public CompareOptions Options => options;

    public IPeer? Peer => peer;

    public MachineCeilings Ceilings => ceilings;

    /// <summary>Tells what is being done.</summary>
    public void Say(string what) => say(what);

    public void Report(RowResult result) => report(result);

    public static async Task<int> RunAsync(CompareOptions options, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(options.Work);
        var (peer, whyNot) = await PeerAsync(options, cancellationToken);
        using var backend = CpuBackend.Create(new CpuOptions { Threads = options.Threads });
        Console.WriteLine($"ours: {backend.Description}");
        Console.WriteLine(peer is null ? $"no peer, ours alone: {whyNot}" : $"peer: {peer.Description}");
        var ceilings = MachineCeilings.Measure(options.Threads);
        ceilings = ceilings.Best(MachineCeilings.Measure(options.Threads));
        Console.WriteLine($"ceilings, measured now: {ceilings.Text()}");
        List<RowResult> results = [];
        await WithProgressAsync(
            CompareRow.All.Count(options.Wants),
            (say, done) => new CompareRun(options, peer, ceilings, say, result =>
            {
                results.Add(result);
                done();
                if (Console.IsOutputRedirected)
                {
                    // What was measured is there even where the run is ended early.
                    Console.WriteLine(CompareTable.Line(result));
                }
            }).MeasureAsync(cancellationToken));
        AnsiConsole.Write(CompareTable.Of(results));
        Console.WriteLine($"medians of {options.Runs} rounds, both sides in turn");
        if (options.Out is { } file)
        {
            var json = new JsonObject
            {
                ["ours"] = backend.Description,
                ["peer"] = peer?.Description,
                ["no_peer"] = whyNot,
                ["runs"] = options.Runs,
                ["ceilings"] = ceilings.Json(),
                ["rows"] = new JsonArray([.. results.Select(CompareTable.Json)]),
                ["markdown"] = CompareTable.Markdown(results),
            };
            await WholeFile.WriteNamedAsync(file, json.ToJsonString(new() { WriteIndented = true }), cancellationToken);
            Console.WriteLine($"wrote {file}");
        }

        return 0;
    }

    private static async Task<(IPeer? Peer, string? WhyNot)> PeerAsync(CompareOptions options, CancellationToken cancellationToken) =>
        Environment.GetEnvironmentVariable(CompareOptions.BinariesVariable) is { Length: > 0 } folder
            ? BinaryPeer.In(folder)
            : await NodePeer.InstallAsync(Path.Combine(options.Work, "npm"), cancellationToken);

    /// <summary>A bar on a terminal; elsewhere a line for each thing.</summary>
    private static Task WithProgressAsync(int rows, Func<Action<string>, Action, Task> run)
    {
        if (Console.IsOutputRedirected)
        {
            return run(what => Console.Error.WriteLine(what), () => { });
        }

        return AnsiConsole.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(context =>
            {
                var bar = context.AddTask("compare", maxValue: rows);
                return run(what => bar.Description = Markup.Escape(what), () => bar.Increment(1));
            });
    }

    private async Task MeasureAsync(CancellationToken cancellationToken)
    {
        var models = new ModelRows(this);
        var servers = new ServerRows(this);
        await models.MeasureAsync(
            "synthetic:llama-135m", "llama-135m", GgufType.BF16,
            [(Row("135m-prefill-256"), 256, 0), (Row("135m-prefill-2048"), 2048, 0)], cancellationToken);
        await models.MeasureAsync(
            "synthetic:llama-135m", "llama-135m", GgufType.BF16,
            [.. new[] { 1, 8, 32, 64 }.Select(count => (Row($"135m-decode-{count}"), 0, count))], cancellationToken);
        await models.MeasureAsync(
            "synthetic:llama-1b", "llama-1b", GgufType.BF16, [(Row("1b-prefill"), 128, 0), (Row("1b-decode"), 0, 1)], cancellationToken);
        foreach (var (type, formats) in new[]
        {
            (GgufType.Q8_0, (string[])["q8_0", "fp8", "w8a8", "w8a16"]), (GgufType.Q4_0, ["q4_0", "gptq", "awq", "w4a16"]),
        })
        {
            foreach (var format in formats)
            {
                // The peer's own format is read from the peer's own file.
                var source = format == formats[0] ? null : $"synthetic:llama-1b:{format}";
                await models.MeasureAsync(
                    source, "llama-1b", type, [(Row($"1b-{format}-prefill"), 128, 0), (Row($"1b-{format}-decode"), 0, 1)],
                    cancellationToken);
            }
        }

        if (options.Wants(Row("attention-8k")))
        {
            report(AttentionRow.Measure(Row("attention-8k"), this));
        }

        await models.MeasureAsync(
            "synthetic:moe-135m", "moe-135m", GgufType.BF16, [(Row("moe-decode-16"), 0, 16)], cancellationToken);
        if (options.Wants(Row("start")) || options.Wants(Row("start-memory")))
        {
            await servers.StartAsync(Row("start"), Row("start-memory"), cancellationToken);
        }

        (CompareRow, CompareRow, int)[] serving = [
            .. new[] { 1, 8, 32 }.Select(clients => (Row($"serve-{clients}"), Row($"serve-{clients}-ttft"), clients))
                .Where(row => options.Wants(row.Item1) || options.Wants(row.Item2))];
        if (serving.Length > 0)
        {
            await servers.ServeAsync(serving, cancellationToken);
        }
    }

    private static CompareRow Row(string id) => CompareRow.All.Single(row => row.Id == id);
}
