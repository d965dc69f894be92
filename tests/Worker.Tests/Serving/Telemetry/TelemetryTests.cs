using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving.Telemetry;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.Extensions.Configuration;

namespace Cluster.Worker.Tests.Serving.Telemetry;

public sealed class TelemetryTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string CallerId = "b7ad6b7169203331";
    private const string Traceparent = $"00-{TraceId}-{CallerId}-01";
    private const int Internal = 1;
    private const int Server = 2;
    private const ulong Error = 2;

    [Theory]
    [InlineData("http/protobuf")]
    [InlineData("grpc")]
    public async Task A_request_over_http_leaves_a_tree_of_spans_below_its_callers(string protocol)
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(collector, new FakeEngine { Reply = _ => "abc", CachedTokens = 2 }, protocol))
        {
            server.Client.DefaultRequestHeaders.Add("traceparent", Traceparent);
            var (status, _) = await server.PostAsync(
                "/v1/completions", """{"prompt": "hello", "best_of": 2, "max_tokens": 9, "temperature": 0.5, "seed": 3}""");
            Assert.Equal(200, status);
            using var probe = await server.Client.GetAsync("/health");
        }

        var root = Tree(collector, "POST /v1/completions");
        Assert.Equal((TraceId, CallerId, Server), (root.Span.TraceId, root.Span.ParentId, root.Span.Kind));
        Assert.Equal(
            ("POST", "/v1/completions", "/v1/completions", "200"),
            (root["http.request.method"], root["http.route"], root["url.path"], root["http.response.status_code"]));
        var request = Assert.Single(root.Children);
        Assert.Equal(("llm_request", Internal), (request.Span.Name, request.Span.Kind));
        Assert.Equal(
            ("model", "0.5", "9", "3"),
            (request["gen_ai.response.model"], request["gen_ai.request.temperature"], request["gen_ai.request.max_tokens"],
                request["gen_ai.request.seed"]));
        Assert.Equal(
            ("6", "3", "2", "stop"),
            (request["gen_ai.usage.prompt_tokens"], request["gen_ai.usage.completion_tokens"], request["gen_ai.usage.cached_tokens"],
                request["gen_ai.response.finish_reasons"]));
        Assert.StartsWith("cmpl-", request["gen_ai.request.id"], StringComparison.Ordinal);
        Assert.Equal(["queue", "prefill", "decode"], request.Children.Select(child => child.Span.Name));
        Assert.Equal("6", request.Children[1]["gen_ai.usage.prompt_tokens"]);
        Assert.Equal("3", request.Children[2]["gen_ai.usage.completion_tokens"]);
        Assert.Equal(5, collector.Spans.Count);
    }

    [Fact]
    public async Task A_call_over_grpc_leaves_the_same_tree_and_its_status()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(collector))
        {
            using var channel = GrpcClients.Open(server.Server.GrpcAddress);
            var client = new TextGeneration.TextGenerationClient(channel);
            await client.GenerateAsync(
                new GenerateRequest { Prompt = "hi", RequestId = "mine" }, new Metadata { { "traceparent", Traceparent } });
            await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());
        }

        var root = Tree(collector, "cluster.v1.TextGeneration/Generate");
        Assert.Equal((TraceId, CallerId, Server), (root.Span.TraceId, root.Span.ParentId, root.Span.Kind));
        Assert.Equal(
            ("grpc", "cluster.v1.TextGeneration", "Generate", "0"),
            (root["rpc.system"], root["rpc.service"], root["rpc.method"], root["rpc.grpc.status_code"]));
        var request = Assert.Single(root.Children);
        Assert.Equal("mine", request["gen_ai.request.id"]);
        Assert.Equal(["queue", "prefill", "decode"], request.Children.Select(child => child.Span.Name));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("00-zz-1-01")]
    public async Task Without_a_callers_context_the_trace_begins_here(string? traceparent)
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(collector))
        {
            server.Client.DefaultRequestHeaders.TryAddWithoutValidation("traceparent", traceparent);
            await server.PostAsync("/v1/completions", """{"prompt": ["a", "b"], "n": 2}""");
        }

        var root = Tree(collector, "POST /v1/completions");
        Assert.Equal("", root.Span.ParentId);
        Assert.Equal(2, root.Children.Count);
        Assert.All(root.Children, request => Assert.Equal(("2", 3), (request["gen_ai.usage.num_sequences"], request.Children.Count)));
    }

    [Fact]
    public async Task A_caller_who_does_not_record_is_not_recorded()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(collector))
        {
            server.Client.DefaultRequestHeaders.Add("traceparent", Traceparent[..^1] + "0");
            await server.PostAsync("/v1/completions", """{"prompt": "a"}""");
        }

        Assert.Empty(collector.Spans);
    }

    [Fact]
    public async Task A_failure_marks_its_spans_and_a_refusal_does_not()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(
            collector, new FakeEngine { BeforeOutput = (_, _) => throw new GenerationFailedException("broken") }))
        {
            Assert.Equal(500, (await server.PostAsync("/v1/completions", """{"prompt": "a"}""")).Status);
            Assert.Equal(400, (await server.PostAsync("/v1/chat/completions", "{}")).Status);
        }

        var failed = Tree(collector, "POST /v1/completions");
        Assert.Equal((Error, "500"), (failed.Span.StatusCode, failed["error.type"]));
        var request = Assert.Single(failed.Children);
        Assert.Equal((Error, typeof(GenerationFailedException).FullName!), (request.Span.StatusCode, request["error.type"]));
        var refused = Tree(collector, "POST /v1/chat/completions");
        Assert.Equal((0UL, "400"), (refused.Span.StatusCode, refused["http.response.status_code"]));
        Assert.Empty(refused.Children);
    }

    [Theory]
    [InlineData("http/protobuf")]
    [InlineData("grpc")]
    public async Task Metrics_are_those_of_the_metrics_page(string protocol)
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(collector, protocol: protocol, modelName: $"otlp {protocol}"))
        {
            var observer = server.Server.Observer;
            observer.FirstToken(TimeSpan.FromMilliseconds(30));
            observer.Ended(Metrics.Requests.Ended(Worker.Engine.FinishReason.Stop, TimeSpan.FromSeconds(1)));
        }

        var metrics = collector.Metrics.Where(metric => metric.Attributes.GetValueOrDefault("model_name") == $"otlp {protocol}").ToArray();
        var firstToken = Assert.Single(metrics, metric => metric.Name == "vllm.time_to_first_token_seconds");
        Assert.Equal(("histogram", 0.03, 1UL), (firstToken.Kind, firstToken.Value, firstToken.Count));
        var success = Assert.Single(
            metrics, metric => metric.Name == "vllm.request_success_total" && metric.Attributes["finished_reason"] == "stop");
        Assert.Equal(("sum", 1.0, true), (success.Kind, success.Value, success.IsMonotonic));
        Assert.Contains(metrics, metric => metric is { Name: "vllm.num_requests_running", Kind: "gauge" });
        Assert.Contains(metrics, metric => metric is { Name: "vllm.prompt_tokens_total", Kind: "sum", IsMonotonic: true });
    }

    [Fact]
    public async Task The_environment_names_the_service_and_adds_headers()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(
            collector,
            settings: [
                ("OTEL_SERVICE_NAME", "replica"), ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=pod-1"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x")]))
        {
            await server.PostAsync("/v1/completions", """{"prompt": "a"}""");
        }

        Assert.Equal(("replica", "pod-1"), (collector.Resource["service.name"], collector.Resource["k8s.pod.name"]));
        Assert.All(collector.Requests, request => Assert.Equal("Bearer x", request.Authorization));
    }

    [Fact]
    public async Task The_service_has_a_name_of_its_own()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(collector, settings: [("OTEL_METRICS_EXPORTER", "none")]))
        {
            await server.PostAsync("/v1/completions", """{"prompt": "a"}""");
        }

        Assert.Equal("cluster-worker", collector.Resource["service.name"]);
        Assert.Contains("service.version", collector.Resource.Keys);
        Assert.Empty(collector.Metrics);
    }

    [Fact]
    public async Task The_real_engine_tells_how_long_a_request_waited()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await HaikuServer.StartAsync(
            options => options with { Telemetry = Options(collector, "http/protobuf", []) }))
        {
            await server.Http.PostAsync("/v1/completions", """{"prompt": "Write a haiku about the sea", "max_tokens": 5, "n": 2}""");
        }

        var request = Assert.Single(Tree(collector, "POST /v1/completions").Children);
        Assert.Equal(["queue", "prefill", "decode"], request.Children.Select(child => child.Span.Name));
        Assert.Equal(("10", "length,length"), (request["gen_ai.usage.completion_tokens"], request["gen_ai.response.finish_reasons"]));
        Assert.True(request.Children[0].Span.End < request.Children[1].Span.End, "computing a prompt takes time");
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "")]
    [InlineData("OTEL_SDK_DISABLED", "true")]
    [InlineData("UNRELATED", "x")]
    public void Nothing_is_started_without_an_endpoint(string variable, string value) =>
        Assert.Null(
            TelemetryOptions.Read(
                Environment(
                    variable == "OTEL_SDK_DISABLED"
                        ? [(variable, value), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x")]
                        : [(variable, value)])));

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]
    [InlineData("OTEL_TRACES_EXPORTER", "jaeger")]
    public void A_variable_nobody_could_act_on_is_refused(string variable, string value) =>
        Assert.Contains(
            value,
            Assert.Throws<FormatException>(
                () => TelemetryOptions.Read(Environment(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x"), (variable, value)))).Message,
            StringComparison.Ordinal);

    /// <summary>The span of this name with those below it, checked to lie within each other and in one trace.</summary>
    private static Node Tree(OtlpCollector collector, string name) =>
        Grow(collector, Assert.Single(collector.Spans, span => span.Name == name));

    private static Node Grow(OtlpCollector collector, OtlpSpan span)
    {
        Assert.True(span.Start <= span.End, span.Name);
        Node[] children = [
            .. collector.Spans.Where(other => other.ParentId == span.Id).OrderBy(other => other.End).ThenBy(other => other.Start)
                .Select(other => Grow(collector, other))];
        Assert.All(
            children,
            child => Assert.True(
                child.Span.TraceId == span.TraceId && span.Start <= child.Span.Start && child.Span.End <= span.End,
                $"{child.Span.Name} in {span.Name}"));
        return new Node(span, children);
    }

    private static Task<HttpTestServer> StartAsync(
        OtlpCollector collector, FakeEngine? engine = null, string protocol = "http/protobuf", string modelName = "model",
        (string, string)[]? settings = null) =>
        HttpTestServer.StartAsync(
            engine, configure: options => options with { Telemetry = Options(collector, protocol, settings ?? []) }, modelName: modelName);

    private static TelemetryOptions Options(OtlpCollector collector, string protocol, (string, string)[] settings) =>
        TelemetryOptions.Read(
            Environment(
                [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Address(protocol).ToString()), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                    .. settings]))!;

    private static IConfiguration Environment(params (string Name, string Value)[] variables) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(
                variables.GroupBy(variable => variable.Name).Select(group => KeyValuePair.Create(group.Key, (string?)group.Last().Value)))
                .Build();

    private sealed record Node(OtlpSpan Span, IReadOnlyList<Node> Children)
    {
        public string this[string attribute] => Span.Attributes[attribute];
    }
}
