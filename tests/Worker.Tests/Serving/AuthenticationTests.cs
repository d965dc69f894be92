using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1;

namespace Cluster.Worker.Tests.Serving;

public sealed class AuthenticationTests
{
    [Theory]
    [InlineData("/v1/completions")]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/models")]
    [InlineData("/generate")]
    [InlineData("/tokenize")]
    [InlineData("/nowhere")]
    [InlineData("/health/../v1/models")]
    [InlineData("/metrics/")]
    public async Task Without_a_key_nothing_answers(string path)
    {
        await using var server = await StartAsync();

        using var response = await server.Client.GetAsync(path);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("Bearer", Assert.Single(response.Headers.WwwAuthenticate).Scheme);
        var error = (await response.Content.ReadFromJsonAsync<JsonNode>())!["error"]!;
        Assert.Equal(("invalid_request_error", "invalid_api_key"), ((string?)error["type"], (string?)error["code"]));
    }

    [Theory]
    [InlineData("/health")]
    [InlineData("/ping")]
    [InlineData("/ready")]
    [InlineData("/metrics")]
    public async Task Probes_and_metrics_need_no_key(string path)
    {
        await using var server = await StartAsync();

        using var response = await server.Client.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("first", 200)]
    [InlineData("second", 200)]
    [InlineData("third", 401)]
    public async Task Any_of_the_keys_opens_the_http_api(string key, int expected)
    {
        await using var server = await StartAsync();
        server.Client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer {key}");

        var (status, _) = await server.PostAsync("/v1/completions", """{"prompt": "x"}""");

        Assert.Equal(expected, status);
    }

    [Theory]
    [InlineData("Bearer second", true)]
    [InlineData("Bearer third", false)]
    [InlineData(null, false)]
    public async Task Grpc_calls_show_the_key_in_their_metadata(string? authorization, bool accepted)
    {
        var engine = new FakeEngine();
        await using var server = await StartAsync(engine);
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);
        Metadata metadata = authorization is null ? [] : new() { { "authorization", authorization } };

        using var call = new TextGeneration.TextGenerationClient(channel).GenerateAsync(new GenerateRequest { Prompt = "hi" }, metadata);
        if (accepted)
        {
            await call;
        }
        else
        {
            Assert.Equal(
                (StatusCode.Unauthenticated, "no valid API key; send it as 'Authorization: Bearer <key>'"), await call.FailAsync());
        }

        Assert.Equal(accepted ? 1 : 0, engine.Requests.Count);
    }

    [Fact]
    public async Task Grpc_health_needs_no_key()
    {
        await using var server = await StartAsync();
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);

        var response = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, response.Status);
    }

    [Fact]
    public async Task Grpc_reflection_and_unknown_methods_need_a_key_before_anything_is_read()
    {
        await using var server = await StartAsync();
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);
        using var raw = new GrpcTestClient(server.Server.GrpcAddress);

        using var reflection = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo();
        using var unknown = await raw.SendAsync("/cluster.v1.TextGeneration/Paint", GrpcTestClient.Frame([]));
        using var malformed = await raw.SendAsync("/cluster.v1.TextGeneration/Generate", [9, 9, 9]);

        Assert.Equal(StatusCode.Unauthenticated, (await reflection.ResponseStream.FailNextAsync()).Status);
        Assert.Equal(StatusCode.Unauthenticated, unknown.Status.Code);
        Assert.Equal(StatusCode.Unauthenticated, malformed.Status.Code);
    }

    private static Task<HttpTestServer> StartAsync(FakeEngine? engine = null) =>
        HttpTestServer.StartAsync(engine, configure: options => options with { ApiKeys = new ApiKeys(["first", "second"]) });
}
