using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Metrics;
using Cluster.Worker.Tests.Serving.Http;

namespace Cluster.Worker.Tests.Serving.Metrics;

public sealed class MetricsTests
{
    [Fact]
    public async Task The_page_parses_and_has_every_name_that_dashboards_for_vllm_ask_for()
    {
        await using var server = await HttpTestServer.StartAsync();
        server.Server.Observer.FirstToken(TimeSpan.FromMilliseconds(30));
        server.Server.Observer.InterToken(TimeSpan.FromMilliseconds(3));
        server.Server.Observer.Ended(Requests.Ended(FinishReason.Stop, TimeSpan.FromSeconds(1)));

        using var response = await server.Client.GetAsync("/metrics");
        var page = PrometheusText.Parse(await response.Content.ReadAsStringAsync());

        Assert.Equal("text/plain", response.Content.Headers.ContentType?.MediaType);
        foreach (var (name, type) in ((string, string)[])
            [
                ("vllm:num_requests_running", "gauge"), ("vllm:num_requests_waiting", "gauge"), ("vllm:kv_cache_usage_perc", "gauge"),
                ("vllm:gpu_cache_usage_perc", "gauge"), ("vllm:prefix_cache_queries_total", "counter"),
                ("vllm:prefix_cache_hits_total", "counter"), ("vllm:num_preemptions_total", "counter"),
                ("vllm:prompt_tokens_total", "counter"), ("vllm:generation_tokens_total", "counter"),
                ("vllm:request_success_total", "counter"), ("vllm:time_to_first_token_seconds", "histogram"),
                ("vllm:inter_token_latency_seconds", "histogram"), ("vllm:e2e_request_latency_seconds", "histogram"),
                ("vllm:cache_config_info", "gauge"),
            ])
        {
            Assert.Equal(type, page.Types.GetValueOrDefault(name));
        }

        Assert.Equal(1, page.Samples["vllm:request_success_total{model_name=\"model\",finished_reason=\"stop\"}"]);
        Assert.Equal(0, page.Samples["vllm:request_success_total{model_name=\"model\",finished_reason=\"abort\"}"]);
        Assert.Equal(0, page.Samples["vllm:time_to_first_token_seconds_bucket{model_name=\"model\",le=\"0.02\"}"]);
        Assert.Equal(1, page.Samples["vllm:time_to_first_token_seconds_bucket{model_name=\"model\",le=\"0.04\"}"]);
        Assert.Equal(1, page.Samples["vllm:time_to_first_token_seconds_bucket{model_name=\"model\",le=\"+Inf\"}"]);
        Assert.Equal(0.03, page.Samples["vllm:time_to_first_token_seconds_sum{model_name=\"model\"}"], 9);
    }

    [Fact]
    public async Task How_guesses_do_is_counted_only_by_an_engine_that_guesses()
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);
        var without = PrometheusText.Parse(await server.Client.GetStringAsync("/metrics"));
        engine.Speculation = new SpeculationStatistics(10, 30, 15, [8, 5, 2]);
        var with = PrometheusText.Parse(await server.Client.GetStringAsync("/metrics"));

        Assert.DoesNotContain(without.Samples.Keys, name => name.Contains("spec_decode", StringComparison.Ordinal));
        Assert.Equal(10, with.Samples["vllm:spec_decode_num_drafts_total{model_name=\"model\"}"]);
        Assert.Equal(30, with.Samples["vllm:spec_decode_num_draft_tokens_total{model_name=\"model\"}"]);
        Assert.Equal(15, with.Samples["vllm:spec_decode_num_accepted_tokens_total{model_name=\"model\"}"]);
        Assert.Equal(5, with.Samples["vllm:spec_decode_num_accepted_tokens_per_pos_total{model_name=\"model\",position=\"1\"}"]);
    }

    [Fact]
    public async Task A_requests_time_is_told_by_its_parts()
    {
        var time = new ManualTime();
        var engine = new FakeEngine
        {
            Reply = _ => "abc",
            QueueTime = TimeSpan.FromSeconds(1),
            FirstTokenTime = TimeSpan.FromSeconds(3),
            BeforeOutput = (made, _) =>
            {
                time.Advance(TimeSpan.FromSeconds(made == 0 ? 3 : 0.25));
                return Task.CompletedTask;
            },
        };
        await using var server = await HttpTestServer.StartAsync(engine, time: time);

        Assert.Equal(200, (await server.PostAsync("/v1/completions", """{"prompt": "a", "max_tokens": 9}""")).Status);
        Assert.Equal(200, (await server.PostAsync("/v1/completions", """{"prompt": "a", "best_of": 2}""")).Status);

        var page = PrometheusText.Parse(await server.Client.GetStringAsync("/metrics"));
        Assert.Equal((2, 2), Of("request_queue_time_seconds"));
        Assert.Equal((4, 2), Of("request_prefill_time_seconds"));
        Assert.Equal((1, 2), Of("request_decode_time_seconds"));
        Assert.Equal((5, 2), Of("request_inference_time_seconds"));
        Assert.Equal((0.5, 2), Of("request_time_per_output_token_seconds"));
        Assert.Equal((6, 2), Of("request_max_num_generation_tokens"));
        Assert.Equal((25, 2), Of("request_params_max_tokens"));
        Assert.Equal((2, 2), Of("request_params_n"));

        (double Sum, double Count) Of(string name) =>
            (Math.Round(page.Samples[$"vllm:{name}_sum{{model_name=\"model\"}}"], 6),
                page.Samples[$"vllm:{name}_count{{model_name=\"model\"}}"]);
    }

    [Fact]
    public void Observations_on_a_bound_belong_to_its_bucket_and_buckets_are_cumulative()
    {
        using var metrics = new WorkerMetrics(new ServingState(TimeProvider.System), "m\"odel\\");
        metrics.InterToken(TimeSpan.FromSeconds(0.005));
        metrics.InterToken(TimeSpan.FromSeconds(1000));

        var page = PrometheusText.Parse(metrics.Render());

        const string Labels = "model_name=\"m\\\"odel\\\\\"";
        Assert.Equal(0, page.Samples[$"vllm:inter_token_latency_seconds_bucket{{{Labels},le=\"0.0025\"}}"]);
        Assert.Equal(1, page.Samples[$"vllm:inter_token_latency_seconds_bucket{{{Labels},le=\"0.005\"}}"]);
        Assert.Equal(1, page.Samples[$"vllm:inter_token_latency_seconds_bucket{{{Labels},le=\"80\"}}"]);
        Assert.Equal(2, page.Samples[$"vllm:inter_token_latency_seconds_bucket{{{Labels},le=\"+Inf\"}}"]);
    }

    [Fact]
    public void Two_workers_in_one_process_do_not_mix()
    {
        using var one = new WorkerMetrics(new ServingState(TimeProvider.System), "one");
        using var two = new WorkerMetrics(new ServingState(TimeProvider.System), "two");
        one.InterToken(TimeSpan.FromSeconds(1));

        Assert.DoesNotContain("one", two.Render(), StringComparison.Ordinal);
    }
}
