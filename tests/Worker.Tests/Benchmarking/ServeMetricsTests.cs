using Cluster.Common.Benchmarking;

namespace Cluster.Worker.Tests.Benchmarking;

public sealed class ServeMetricsTests
{
    /// <summary>Two answers, worked out by hand below, and a failure.</summary>
    private static readonly RequestMeasurement[] Requests =
    [
        new()
        {
            PromptTokens = 10,
            OutputTokens = 3,
            TimeToFirstTokenSeconds = 0.1,
            InterTokenSeconds = [0.02, 0.04],
            LatencySeconds = 0.16
        },
        new() { PromptTokens = 6, OutputTokens = 1, TimeToFirstTokenSeconds = 0.3, LatencySeconds = 0.3 },
        new() { PromptTokens = 99, Error = "HTTP 400: too long" },
    ];

    [Fact]
    public void Figures_follow_vllms_definitions()
    {
        var metrics = new ServeMetrics(Requests, durationSeconds: 2, goodput: null);

        Assert.Equal((2, 1, "HTTP 400: too long"), (metrics.Completed, metrics.Failed, metrics.FirstError));
        Assert.Equal((16L, 4L), (metrics.TotalInputTokens, metrics.TotalOutputTokens));
        Assert.Equal((1.0, 2.0, 10.0), (metrics.RequestThroughput, metrics.OutputThroughput, metrics.TotalTokenThroughput));
        Assert.Equal(200, metrics.TimeToFirstToken.Mean, 1e-9);
        Assert.Equal(1, metrics.TimePerOutputToken.Count);
        Assert.Equal(30, metrics.TimePerOutputToken.Mean, 1e-9);
        Assert.Equal(30, metrics.InterTokenLatency.Median, 1e-9);
        Assert.Equal(230, metrics.EndToEndLatency.Mean, 1e-9);
        Assert.Null(metrics.RequestGoodput);
    }

    [Theory]
    [InlineData("ttft:200", 0.5)]
    [InlineData("ttft:400", 1)]
    [InlineData("tpot:29", 0.5)]
    [InlineData("ttft:200 tpot:29", 0)]
    [InlineData("e2el:160 tpot:31", 0.5)]
    public void Goodput_counts_the_requests_that_keep_every_objective(string objectives, double expected) =>
        Assert.Equal(expected, new ServeMetrics(Requests, 2, Goodput.Parse(objectives.Split(' '))).RequestGoodput);

    [Theory]
    [InlineData("itl:3")]
    [InlineData("ttft")]
    [InlineData("ttft:x")]
    [InlineData("ttft:-1")]
    public void A_wrong_objective_is_named(string pair) =>
        Assert.Contains(pair, Assert.Throws<FormatException>(() => Goodput.Parse([pair])).Message);

    [Fact]
    public void The_table_is_laid_out_as_vllms()
    {
        var table = new ServeReport(["ttft", "tpot"], [99]).Table(new ServeMetrics(Requests[..2], 2, null));

        Assert.Equal(
            """
            ============ Serving Benchmark Result ============
            Successful requests:                     2         
            Benchmark duration (s):                  2.00      
            Total input tokens:                      16        
            Total generated tokens:                  4         
            Request throughput (req/s):              1.00      
            Output token throughput (tok/s):         2.00      
            Total Token throughput (tok/s):          10.00     
            ---------------Time to First Token----------------
            Mean TTFT (ms):                          200.00    
            Median TTFT (ms):                        200.00    
            P99 TTFT (ms):                           298.00    
            -----Time per Output Token (excl. 1st token)------
            Mean TPOT (ms):                          30.00     
            Median TPOT (ms):                        30.00     
            P99 TPOT (ms):                           30.00     
            ==================================================
            """,
            table,
            ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void The_result_has_vllms_fields()
    {
        var json = new ServeReport(ServeReport.Metrics, [99, 99.9]).Json(new ServeMetrics(Requests, 2, null));

        string[] expected =
        [
            "duration", "completed", "failed", "total_input_tokens", "total_output_tokens", "request_throughput", "request_goodput",
            "output_throughput", "total_token_throughput",
            .. ServeReport.Metrics.SelectMany(
                metric =>
                    new[] { $"mean_{metric}_ms", $"median_{metric}_ms", $"std_{metric}_ms", $"p99_{metric}_ms", $"p99.9_{metric}_ms" }),
        ];
        Assert.Equal(expected, json.Select(field => field.Key));
        Assert.Equal(200, (double)json["mean_ttft_ms"]!, 1e-9);
    }

    [Fact]
    public void A_run_without_answers_reports_zeros()
    {
        var metrics = new ServeMetrics(Requests[2..], 2, null);

        Assert.Equal(0, metrics.TimeToFirstToken.Percentile(99));
        Assert.Contains("Failed requests:                         1", new ServeReport(["ttft"], [99]).Table(metrics));
    }
}
