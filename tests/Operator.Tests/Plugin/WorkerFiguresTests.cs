using Cluster.Common.Metrics;
using Cluster.Operator.Plugin;

namespace Cluster.Operator.Tests.Plugin;

public sealed class WorkerFiguresTests
{
    private const string Page = """
        # HELP vllm:num_requests_running Requests in the running batch.
        # TYPE vllm:num_requests_running gauge
        vllm:num_requests_running{model_name="a"} 2
        vllm:num_requests_running{model_name="b"} 3
        vllm:num_requests_waiting{model_name="a"} 1 1764500000000
        vllm:kv_cache_usage_perc{model_name="a"} 0.25
        vllm:prefix_cache_queries_total{model_name="a"} 200
        vllm:prefix_cache_hits_total{model_name="a"} 50
        vllm:generation_tokens_total{model_name="a"} 1.5e3
        vllm:request_success_total{finished_reason="stop",model_name="a"} 4
        vllm:request_success_total{finished_reason="length",model_name="a"} 5
        vllm:time_to_first_token_seconds_sum{model_name="a"} 1.5
        vllm:time_to_first_token_seconds_count{model_name="a"} 3
        """;

    [Fact]
    public void A_page_is_added_up_over_models_and_reasons()
    {
        var figures = WorkerFigures.Of(Page);

        Assert.Equal(
            (5, 1, 0.25, 1500L, 9L), (figures.Running, figures.Waiting, figures.KvCacheUsage, figures.GenerationTokens, figures.Requests));
        Assert.Equal((0.25, 0.5), (figures.PrefixHitRate, figures.MeanFirstTokenSeconds));
        Assert.Null(WorkerFigures.Of("").PrefixHitRate);
        Assert.Null(WorkerFigures.Of("").MeanFirstTokenSeconds);
    }

    [Theory]
    [InlineData(100, 300, 2, 100)]
    [InlineData(300, 50, 1, 50)]
    [InlineData(300, 300, 1, 0)]
    [InlineData(0, 300, 0, 0)]
    public void A_rate_is_of_the_time_between_and_counts_a_new_worker_from_0(long before, long now, double seconds, double rate) =>
        Assert.Equal(rate, WorkerFigures.Rate(before, now, TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Labels_are_read_with_their_escapes_and_what_is_no_sample_is_passed_over()
    {
        var samples = MetricsReader.Read("""
            a{x="1,}\"\\\n",y="z"} +Inf
            b 3
            c{x="unclosed} 1
            d{x=1} 1
            {} 1
            e
            f{} nonsense
            g{x="1"}-2
            """).ToList();

        Assert.Equal(["a", "b", "g"], samples.Select(sample => sample.Name));
        Assert.Equal(("1,}\"\\\n", "z"), (samples[0].Labels["x"], samples[0].Labels["y"]));
        Assert.Equal([double.PositiveInfinity, 3, -2], samples.Select(sample => sample.Value));
    }

    [Fact]
    public void A_table_is_as_wide_as_its_cells_and_has_dashes_where_nothing_is_known()
    {
        TopRow busy = new(
            "ns", "haiku", "haiku-a", "n1", [0, 1], "ready", new TopLoad(3, 12, 0.5, 123.44, 10, 0.333, 9, 0, 41.26), null);
        TopRow silent = new("ns", "haiku", "haiku-bbbbb", null, [], "pending", null, "it does not run");

        Assert.Equal(
            [
                "DEPLOYMENT   REPLICA       NODE     GPUS     STATE     RUNNING   WAITING   KV      TOKENS/S   PREFIX-HITS",
                "haiku        haiku-a       n1       0,1      ready     3         12        50.0%   123.4      33.3%",
                "haiku        haiku-bbbbb   <none>   <none>   pending   -         -         -       -          -",
            ], TopTable.Lines([busy, silent], allNamespaces: false, wide: false));
        Assert.EndsWith(
            "10.0              9          0             41.3", TopTable.Lines([busy], allNamespaces: true, wide: true).Last(),
            StringComparison.Ordinal);
    }
}
