using System.Net;
using System.Text;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Cluster.Worker.Tests.Serving.Parsing;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using VllmRequest = Cluster.Worker.Protos.Vllm.GenerateRequest;
using VllmTokens = Cluster.Worker.Protos.Vllm.TokenizedInput;

namespace Cluster.Worker.Tests.Serving.Relaying;

/// <summary>Who may send an envelope, and what may be in one.</summary>
public sealed class GatewayCheckTests
{
    private const string Completions = "/v1/completions";
    private const string Body = """{"prompt": "hi", "stream": true}""";

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("another-key")]
    [InlineData("a-key-of-test")]
    [InlineData("a-key-of-tests ,")]
    public async Task An_envelope_without_the_key_is_refused(string? key)
    {
        await using var server = await StartAsync();

        var (status, body) = await SendAsync(
            server, RelayedStream.Nothing.Request(server.Client.BaseAddress!, Completions, Body, key: key));

        Assert.Equal(403, status);
        Assert.Contains("not_the_gateway", body, StringComparison.Ordinal);
        Assert.DoesNotContain(RelayedStream.Key, body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x-cluster-gateway-key", "x")]
    [InlineData("X-Cluster-Replica", "worker-0")]
    [InlineData("x-cluster-anything", "x")]
    public async Task Headers_of_the_gateway_are_refused_on_any_path(string name, string value)
    {
        await using var server = await StartAsync();
        foreach (var path in new[] { "/v1/models", "/metrics", "/nowhere" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { name, value } } };
            using var response = await server.Client.SendAsync(request);

            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        }
    }

    [Fact]
    public async Task A_worker_without_a_key_takes_no_envelope()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await SendAsync(server, RelayedStream.Nothing.Request(server.Client.BaseAddress!, Completions, Body));

        Assert.Equal(403, status);
        Assert.Contains("has no gateway", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_shows_the_key_needs_no_api_key_and_learns_the_replica()
    {
        await using var server = await StartAsync(
            options => options with { ApiKeys = new ApiKeys(["client"]), ReplicaName = "haiku-0" });
        using var request = RelayedStream.Nothing.Request(server.Client.BaseAddress!, Completions, Body);
        using var models = new HttpRequestMessage(HttpMethod.Get, "/v1/models")
        {
            Headers = { { RelayedStream.KeyHeader, RelayedStream.Key } },
        };

        using var response = await server.Client.SendAsync(request);
        using var listed = await server.Client.SendAsync(models);
        using var client = await server.Client.GetAsync("/v1/models");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(HttpStatusCode.OK, listed.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, client.StatusCode);
        Assert.Equal(["haiku-0"], response.Headers.GetValues("x-cluster-replica"));
        Assert.False(client.Headers.Contains("x-cluster-replica"));
    }

    [Fact]
    public async Task No_key_reaches_the_log()
    {
        using var log = new RecordedLog(LogLevel.Trace);
        await using var server = await HttpTestServer.StartAsync(configure: RelayFixture.WithKey, log: log);

        await SendAsync(server, RelayedStream.Nothing.Request(server.Client.BaseAddress!, Completions, Body));
        await SendAsync(server, RelayedStream.Nothing.Request(server.Client.BaseAddress!, Completions, Body, key: "a-wrong-key"));

        Assert.NotEmpty(log.Errors);
        Assert.DoesNotContain(log.Errors, line => line.Contains(RelayedStream.Key, StringComparison.Ordinal));
        Assert.DoesNotContain(log.Errors, line => line.Contains("a-wrong-key", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"created": 1, "seed": 1, "request": {"prompt": "hi"}}""", "'id'")]
    [InlineData("""{"id": "a b", "created": 1, "seed": 1, "request": {"prompt": "hi"}}""", "'id'")]
    [InlineData("""{"id": "a", "seed": 1, "request": {"prompt": "hi"}}""", "'created'")]
    [InlineData("""{"id": "a", "created": 999999999999999, "seed": 1, "request": {"prompt": "hi"}}""", "'created'")]
    [InlineData("""{"id": "a", "created": 1, "request": {"prompt": "hi"}}""", "'seed'")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1}""", "'request'")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1, "request": []}""", "'request'")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1, "speed": 1, "request": {"prompt": "hi"}}""", "speed")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1, "trailing": -1, "request": {"prompt": "hi"}}""", "'trailing'")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1, "choices": {}, "request": {"prompt": "hi"}}""", "'choices'")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1, "choices": [3], "request": {"prompt": "hi"}}""", "'choices'")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1, "choices": [{"tokens": ["x"]}], "request": {"prompt": "hi"}}""", "'tokens'")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1, "choices": [{"token": [1]}], "request": {"prompt": "hi"}}""", "token")]
    [InlineData("""{"id": "a", "created": 1, "seed": 1, "request": {"prompt": "hi", "prompts": 1}}""", "prompts")]
    public async Task A_malformed_envelope_is_told_what_is_wrong(string envelope, string named)
    {
        await using var server = await StartAsync();

        var (status, body) = await SendAsync(server, Post(envelope));

        Assert.Equal(400, status);
        Assert.Contains(named, body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokens_and_choices_are_counted_before_they_are_read()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { MaxModelLength = 100 }, configure: RelayFixture.WithKey);
        var tokens = string.Join(',', Enumerable.Repeat("5", 101));
        var choices = string.Join(',', Enumerable.Repeat("{}", 129));

        var (manyTokens, tokensError) = await SendAsync(
            server, Post($$$"""{"id": "a", "created": 1, "seed": 1, "choices": [{"tokens": [{{{tokens}}}]}], "request": {"prompt": "hi"}}"""));
        var (manyChoices, choicesError) = await SendAsync(
            server, Post($$$"""{"id": "a", "created": 1, "seed": 1, "choices": [{{{choices}}}], "request": {"prompt": "hi"}}"""));

        Assert.Equal((400, 400), (manyTokens, manyChoices));
        Assert.Contains("101", tokensError, StringComparison.Ordinal);
        Assert.Contains("129", choicesError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_may_be_as_deep_and_as_long_in_an_envelope_as_by_itself()
    {
        await using var server = await StartAsync(options => options with { MaxRequestBytes = 4096 });

        foreach (var (depth, expected) in new[] { (62, 200), (64, 400) })
        {
            var nested = new StringBuilder().Insert(0, "[", depth).Append(']', depth);
            var body = $$"""{"prompt": "hi", "user": {{nested}} }""";
            var plain = await server.PostAsync(Completions, body);
            var (enveloped, _) = await SendAsync(server, Post($$$"""{"id": "a", "created": 1, "seed": 1, "request": {{{body}}}}"""));

            Assert.Equal((expected, expected), (plain.Status, enveloped));
        }

        var longest = $$"""{"prompt": "hi", "user": "{{new string('a', 4060)}}"}""";
        Assert.Equal(200, (await server.PostAsync(Completions, longest)).Status);
        var (status, _) = await SendAsync(server, Post($$$"""{"id": "a", "created": 1, "seed": 1, "request": {{{longest}}}}"""));
        Assert.Equal(200, status);
    }

    [Fact]
    public async Task Only_endpoints_that_generate_take_an_envelope()
    {
        await using var server = await StartAsync();

        var (status, _) = await SendAsync(
            server, Post("""{"id": "a", "created": 1, "seed": 1, "request": {"prompt": "hi"}}""", "/tokenize"));

        Assert.Equal(400, status);
    }

    [Fact]
    public async Task A_template_asks_the_gateway_for_the_time()
    {
        var template = new Cluster.Worker.Tokenization.ChatTemplate(
            "{{ strftime_now('%Y-%m-%d') }}{{ messages[0].content }}", null, new Dictionary<string, string>());
        await using var server = await HttpTestServer.StartAsync(template: template, configure: RelayFixture.WithKey);

        var (_, answer) = await SendAsync(
            server,
            RelayedStream.Nothing.Request(
                server.Client.BaseAddress!, "/v1/chat/completions", """{"messages": [{"role": "user", "content": "hi"}]}"""));

        Assert.Contains("You said: 2025-11-30hi", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callers_of_the_gateway_share_no_prefix_where_keys_are_apart()
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(
            engine, configure: options => RelayFixture.WithKey(options) with { IsolatesCacheByKey = true });
        foreach (var caller in new[] { "anna", "bert", "anna" })
        {
            await SendAsync(server, Post($$$"""{"id": "a", "created": 1, "seed": 1, "keyId": "{{{caller}}}", "request": {"prompt": "hi"}}"""));
        }

        var salts = engine.Requests.Select(request => request.CacheSalt).ToArray();

        Assert.Equal(salts[0], salts[2]);
        Assert.NotEqual(salts[0], salts[1]);
        Assert.All(salts, Assert.NotNull);
    }

    [Fact]
    public async Task Grpc_refuses_an_envelope_without_the_key()
    {
        await using var server = await StartAsync();
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);
        var text = new TextGeneration.TextGenerationClient(channel);
        var vllm = new Protos.Vllm.VllmEngine.VllmEngineClient(channel);
        var envelope = ByteString.CopyFromUtf8(RelayedStream.Nothing.State().ToJsonString());
        var wrong = new Metadata { { RelayedStream.KeyHeader, "wrong" } };

        (StatusCode Status, string)[] refusals =
        [
            await text.GenerateAsync(new GenerateRequest { Prompt = "hi", ClusterEnvelope = envelope }).FailAsync(),
            await text.GenerateStream(new GenerateRequest { Prompt = "hi", ClusterEnvelope = envelope }).FailAsync(),
            await text.GenerateStream(new GenerateRequest { Prompt = "hi" }, wrong).FailAsync(),
            await vllm.Generate(
                new VllmRequest { Tokenized = new VllmTokens { InputIds = { 5 } }, ClusterEnvelope = envelope }).FailAsync(),
        ];

        Assert.All(refusals, refusal => Assert.Equal(StatusCode.PermissionDenied, refusal.Status));
        var malformed = await text.GenerateStream(
            new GenerateRequest { Prompt = "hi", ClusterEnvelope = ByteString.CopyFromUtf8("{}") },
            new Metadata { { RelayedStream.KeyHeader, RelayedStream.Key } }).FailAsync();
        Assert.Equal(StatusCode.InvalidArgument, malformed.Status);
    }

    [Theory, MemberData(nameof(Samples))]
    public async Task Calls_and_reasoning_go_on_elsewhere_to_the_last_byte(string title)
    {
        var sample = All.Single(one => one.ToString() == title);
        var formats = OutputFormats.Choose(sample.Tools, sample.ReasoningFormat ?? "auto", template: null);
        await using var first = await StartAsync(formats, sample);
        await using var second = await StartAsync(formats, sample);
        var body = $$"""
            {"messages": [{"role": "user", "content": "x"}], "stream": true, "n": 2, "tools": {{SampleTools.Definitions.ToJsonString()}}}
            """;
        var whole = await ReadAsync(first, body);

        foreach (var cut in Enumerable.Range(0, 5).Select(i => i * whole.Events.Count / 4))
        {
            var rest = await ReadAsync(second, body, whole.First(cut));

            Assert.Equal(whole.Text, whole.First(cut).Text + rest.Text);
        }

        static Task<RelayedStream> ReadAsync(HttpTestServer server, string body, RelayedStream? delivered = null) =>
            RelayedStream.ReadAsync(
                server.Client,
                (delivered ?? RelayedStream.Nothing).Request(server.Client.BaseAddress!, "/v1/chat/completions", body));

        static Task<HttpTestServer> StartAsync(OutputFormats formats, OutputSample sample) => HttpTestServer.StartAsync(
            new FakeEngine { Reply = _ => sample.Text }, configure: RelayFixture.WithKey, formats: formats);
    }

    public static TheoryData<string> Samples => [.. All.Select(sample => sample.ToString()).Distinct()];

    /// <summary>A few of every format.</summary>
    private static IEnumerable<OutputSample> All => ToolCallSamples.All.Concat(ReasoningSamples.All)
        .GroupBy(sample => (sample.Tools, sample.ReasoningFormat)).SelectMany(group => group.Take(2));

    private static Task<HttpTestServer> StartAsync(Func<ServerOptions, ServerOptions>? configure = null) =>
        HttpTestServer.StartAsync(configure: options => RelayFixture.WithKey(configure?.Invoke(options) ?? options));

    private static HttpRequestMessage Post(string envelope, string path = Completions)
    {
        var content = new StringContent(envelope, Encoding.UTF8);
        content.Headers.ContentType = new System.Net.Http.Headers.MediaTypeHeaderValue(RelayedStream.ContentType);
        return new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = content,
            Headers = { { RelayedStream.KeyHeader, RelayedStream.Key } },
        };
    }

    private static async Task<(int Status, string Body)> SendAsync(HttpTestServer server, HttpRequestMessage request)
    {
        using (request)
        {
            using var response = await server.Client.SendAsync(request);
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
        }
    }
}
