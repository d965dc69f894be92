using System.CommandLine;

namespace Cluster.Benchmarks.Compare;

/// <summary>What <c>compare</c> was asked for.</summary>
/// <param name="Rows">Ids of <see cref="CompareRow"/>, or beginnings of them; empty for all.</param>
/// <param name="Runs">Rounds, in each of which both sides are measured.</param>
/// <param name="Work">Folder for what is made once: models, the peer's packages.</param>
/// <param name="Out">JSON file; null for none.</param>
internal sealed record CompareOptions(IReadOnlyList<string> Rows, int Runs, int Threads, string Work, string? Out)
{
    public const string BinariesVariable = "LLAMA_BIN";

    private const int UsualRuns = 5;
    private const int QuickRuns = 2;

    /// <summary>The command, which <paramref name="run"/> carries out.</summary>
    public static Command Command(Func<CompareOptions, CancellationToken, Task<int>> run)
    {
        var rows = new Option<string[]>("--rows")
        {
            Description = $"Rows to measure, by id or by the beginning of one, with commas between them: "
                + $"{string.Join(", ", CompareRow.All.Select(row => row.Id))}. Default: all.",
            HelpName = "ID,…",
            CustomParser = result => [.. result.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.RemoveEmptyEntries))],
            DefaultValueFactory = _ => [],
            AllowMultipleArgumentsPerToken = true,
        };
        rows.Validators.Add(result =>
        {
            foreach (var unknown in (result.GetValueOrDefault<string[]>() ?? []).Where(id => !CompareRow.All.Any(row => row.Is(id))))
            {
                result.AddError(
                    $"--rows {unknown}: there is no such row; there are {string.Join(", ", CompareRow.All.Select(row => row.Id))}");
            }
        });
        var runs = new Option<int?>("--runs")
        {
            Description = $"Rounds, in each of which both sides are measured once, in turn. Default: {UsualRuns}.",
            HelpName = "N",
        };
        runs.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() < 1)
            {
                result.AddError($"--runs {result.GetValueOrDefault<int?>()}: expected at least 1");
            }
        });
        var quick = new Option<bool>("--quick") { Description = $"{QuickRuns} rounds; for a look, not for a document." };
        var threads = new Option<int?>("--threads") { Description = "Threads of both sides. Default: one per processor.", HelpName = "N" };
        var work = new Option<string?>("--work")
        {
            Description = "Folder for what is made once and used again: models, the peer's packages. Default: a temporary one that stays.",
            HelpName = "DIR",
        };
        var output = new Option<string?>("--out") { Description = "Writes all figures as JSON.", HelpName = "FILE" };
        var command = new Command(
            "compare",
            "The worker beside llama.cpp on the same shapes and weights, measured in turn. The peer is what the folder in "
            + $"{BinariesVariable} holds (llama-bench, llama-batched-bench, llama-server), or node-llama-cpp, installed from npm.")
        {
            rows, runs, quick, threads, work, output,
        };
        command.SetAction((arguments, cancellationToken) => run(
            new CompareOptions(
                arguments.GetValue(rows) ?? [],
                arguments.GetValue(runs) ?? (arguments.GetValue(quick) ? QuickRuns : UsualRuns),
                arguments.GetValue(threads) ?? Environment.ProcessorCount,
                Path.GetFullPath(arguments.GetValue(work) ?? Path.Combine(Path.GetTempPath(), "cluster-compare")),
                arguments.GetValue(output)),
            cancellationToken));
        return command;
    }

    public bool Wants(CompareRow row) => Rows.Count == 0 || Rows.Any(row.Is);
}
