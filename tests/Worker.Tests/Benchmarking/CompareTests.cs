using System.Globalization;
using Cluster.Benchmarks.Compare;
using Spectre.Console;
using CompareOptions = Cluster.Benchmarks.Compare.CompareOptions;

namespace Cluster.Worker.Tests.Benchmarking;

/// <summary>What the benchmark that compares with llama.cpp makes of its command line, of the peer's output and of its own
/// figures.</summary>
public sealed class CompareTests
{
    private static readonly CompareRow Rate = new("rate", "a rate", CompareGroup.Small, Goal: 2);
    private static readonly CompareRow Time = new("time", "a time", CompareGroup.Start, "s", LessIsBetter: true);

    [Fact]
    public async Task Rows_are_chosen_by_their_ids_and_by_the_beginnings_of_them()
    {
        var options = await ParseAsync("--rows", "135m-decode,1b-gptq", "--rows", "start");

        Assert.Equal(
            [
                "135m-decode-1", "135m-decode-8", "135m-decode-32", "135m-decode-64", "1b-gptq-prefill", "1b-gptq-decode", "start",
                "start-memory",
            ],
            CompareRow.All.Where(options!.Wants).Select(row => row.Id));
    }

    [Fact]
    public async Task All_rows_are_measured_five_times_unless_told()
    {
        var usual = await ParseAsync();
        Assert.Equal((5, CompareRow.All.Count), (usual!.Runs, CompareRow.All.Count(usual.Wants)));
        Assert.Equal(2, (await ParseAsync("--quick"))!.Runs);
        Assert.Equal(7, (await ParseAsync("--quick", "--runs", "7"))!.Runs);
    }

    [Theory]
    [InlineData("--rows", "136m", "--rows 136m: there is no such row; there are 135m-prefill-256, ")]
    [InlineData("--rows", "start-up", "--rows start-up: there is no such row")]
    [InlineData("--runs", "0", "--runs 0: expected at least 1")]
    public void What_there_is_not_is_refused_with_what_there_is(string option, string value, string message)
    {
        var errors = CompareOptions.Command((_, _) => Task.FromResult(0)).Parse([option, value]).Errors;

        Assert.StartsWith(message, Assert.Single(errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_row_has_an_id_of_its_own()
    {
        Assert.Equal(CompareRow.All.Count, CompareRow.All.Select(row => row.Id).Distinct().Count());
    }

    [Fact]
    public void A_ratio_above_one_is_ahead_whatever_the_unit()
    {
        Assert.Equal(2.5, new RowResult(Rate, [100], [40]).Ratio!.Value, 1e-12);
        Assert.Equal(2.5, new RowResult(Time, [2], [5]).Ratio!.Value, 1e-12);
        Assert.Null(new RowResult(Rate, [100], []).Ratio);
    }

    [Fact]
    public void A_ratio_is_the_median_of_those_of_the_rounds()
    {
        // A round in which something else had the machine: both sides are slow, their ratio is not.
        var result = new RowResult(Rate, [100, 20, 110], [50, 10, 50]);

        Assert.Equal((100, 50), (result.OurMedian, result.PeerMedian));
        Assert.Equal(2, result.Ratio);
        Assert.True(result.MeetsGoal);
        Assert.False(new RowResult(Rate, [99], [50]).MeetsGoal);
        Assert.Null(new RowResult(Time, [1], [1]).MeetsGoal);
    }

    [Fact]
    public void The_table_says_who_is_ahead_and_how_far_the_ceiling_is()
    {
        RowResult[] results =
        [
            new(Rate, [1234.4], [400], 0.756, "FMA"),
            new(Time, [1.5], []),
        ];

        Assert.Equal(
            """
            | work | ours | llama.cpp | ratio | goal | of the ceiling |
            |---|---|---|---|---|---|
            | a rate | 1,234 tok/s | 400 tok/s | 3.09 | 2 met | 76 % of FMA |
            | a time | 1.50 s | – | – | – | – |
            """.ReplaceLineEndings("\n"),
            CompareTable.Markdown(results));
        Assert.Equal(
            "work: a time; ours: 1.50 s; llama.cpp: –; ratio: –; goal: –; of the ceiling: –", CompareTable.Line(results[1]));
        var console = new StringWriter(CultureInfo.InvariantCulture);
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(console) }).Write(CompareTable.Of(results));
        Assert.Contains("3.09", console.ToString(), StringComparison.Ordinal);
        var json = CompareTable.Json(results[0]);
        Assert.Equal((1234.4, 400, true), ((double)json["ours"]![0]!, (double)json["peer_median"]!, (bool)json["meets_goal"]!));
        Assert.Null(CompareTable.Json(results[1])["ratio"]);
    }

    [Fact]
    public void Rates_are_read_from_what_llama_cpp_prints()
    {
        Assert.Equal(
            63.25,
            LlamaOutput.BenchRate("""[ { "build_commit": "x", "n_prompt": 0, "n_gen": 16, "avg_ts": 63.25, "samples_ts": [63.25] } ]"""));
        Assert.Equal(
            265.5,
            LlamaOutput.BatchedRate("main: loading\n{\"n_kv_max\": 4096, \"pl\": 32, \"speed_pp\": 270.1, \"speed_tg\": 265.5}\n"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"error\": 1}")]
    [InlineData("[{\"avg_ts\": 0}]")]
    public void Other_output_is_refused(string output)
    {
        Assert.Throws<FormatException>(() => LlamaOutput.BenchRate(output));
        Assert.Throws<FormatException>(() => LlamaOutput.BatchedRate(output));
    }

    private static async Task<CompareOptions?> ParseAsync(params string[] arguments)
    {
        CompareOptions? found = null;
        var code = await CompareOptions.Command((options, _) =>
        {
            found = options;
            return Task.FromResult(0);
        }).Parse(arguments).InvokeAsync(cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(0, code);
        return found;
    }
}
