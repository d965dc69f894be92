using System.Net;
using Cluster.Common;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Grpc.Core;

namespace Cluster.Worker.Tests.Serving;

/// <summary>A page whose name was made to resolve to 127.0.0.1 reaches nothing.</summary>
public sealed class HostCheckTests
{
    [Theory]
    [InlineData("localhost", true)]
    [InlineData("LocalHost:8000", true)]
    [InlineData("localhost.", true)]
    [InlineData("app.localhost:3000", true)]
    [InlineData("127.0.0.1:8000", true)]
    [InlineData("127.200.3.4", true)]
    [InlineData("[::1]:8000", true)]
    [InlineData("[::ffff:127.0.0.1]", true)]
    [InlineData("", true)]
    [InlineData("evil.example", false)]
    [InlineData("evil.example:8000", false)]
    [InlineData("localhost.evil.example", false)]
    [InlineData("evillocalhost", false)]
    [InlineData("127.0.0.1.evil.example", false)]
    [InlineData("0.0.0.0:8000", false)]
    [InlineData("[::]", false)]
    [InlineData("10.0.0.1", false)]
    [InlineData("localhost:80:evil.example", false)]
    [InlineData("localhost:x", false)]
    [InlineData("[::1]evil.example", false)]
    public void On_loopback_only_loopback_names_count(string host, bool passes) =>
        Assert.Equal(passes, new HostGuard(IPAddress.Loopback, [], []).Check(host, null) is null);

    [Theory]
    [InlineData("http://localhost:3000", true)]
    [InlineData("https://127.0.0.1", true)]
    [InlineData("https://evil.example", false)]
    [InlineData("http://localhost.evil.example", false)]
    [InlineData("http://localhost@evil.example", false)]
    [InlineData("null", false)]
    [InlineData("", false)]
    [InlineData("file://localhost", false)]
    [InlineData("https://trusted.example", true)]
    [InlineData("https://TRUSTED.example", true)]
    [InlineData("http://trusted.example", false)]
    [InlineData("https://trusted.example:444", false)]
    public void Pages_of_other_sites_are_turned_away(string origin, bool passes) =>
        Assert.Equal(passes, new HostGuard(IPAddress.IPv6Loopback, [], ["https://trusted.example/"]).Check("localhost", origin) is null);

    [Theory]
    [InlineData("worker.ns.svc:8000", true)]
    [InlineData("evil.example", false)]
    [InlineData("a.b.example", true)]
    [InlineData("b.example", false)]
    [InlineData("10.1.2.3:8000", true)]
    [InlineData("10.1.2.4", true)]
    [InlineData("10.1.2.5", false)]
    [InlineData("localhost", true)]
    public void Names_that_are_given_count_everywhere(string host, bool passes) => Assert.Equal(
        passes,
        new HostGuard(IPAddress.Parse("10.1.2.3"), ["Worker.ns.svc", "*.b.example", "10.1.2.4"], []).Check(host, null) is null);

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("10.0.0.7")]
    public void In_a_pod_every_name_counts(string bound) =>
        Assert.Null(new HostGuard(IPAddress.Parse(bound), [], []).Check("haiku.ns.svc.cluster.local:8000", "https://any.example"));

    [Fact]
    public void Any_name_can_be_allowed() =>
        Assert.Null(new HostGuard(IPAddress.Loopback, ["*"], ["*"]).Check("evil.example", "https://evil.example"));

    [Theory]
    [InlineData("GET", "/health")]
    [InlineData("GET", "/v1/models")]
    [InlineData("POST", "/v1/completions")]
    [InlineData("GET", "/metrics")]
    [InlineData("GET", "/nothing")]
    public async Task A_foreign_name_gets_421_on_every_path(string method, string path)
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);
        using var request = new HttpRequestMessage(new HttpMethod(method), path)
        {
            Headers = { Host = "evil.example" },
            Content = method == "POST" ? HttpTestServer.Json("""{"prompt": "x", "stream": true}""") : null,
        };
        using var response = await server.Client.SendAsync(request);

        Assert.Equal(421, (int)response.StatusCode);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Contains("evil.example", text, StringComparison.Ordinal);
        Assert.Contains("--allowed-hosts", text, StringComparison.Ordinal);
        Assert.Empty(engine.Requests);
    }

    [Fact]
    public async Task A_page_of_another_site_gets_403()
    {
        await using var server = await HttpTestServer.StartAsync();
        server.Client.DefaultRequestHeaders.Add("Origin", "https://evil.example");

        var (status, body) = await server.PostAsync("/v1/completions", """{"prompt": "x"}""");

        Assert.Equal(403, status);
        Assert.Contains("https://evil.example", (string?)body["error"]!["message"], StringComparison.Ordinal);
        Assert.Contains("--allowed-origins", (string?)body["error"]!["message"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("evil.example", false)]
    [InlineData("allowed.example", true)]
    [InlineData("localhost:50051", true)]
    public async Task Grpc_is_asked_under_its_own_names_too(string authority, bool accepted)
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(
            engine, configure: options => options with { AllowedHosts = ["allowed.example"] });
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);
        Metadata metadata = new() { { "host", authority } };

        using var call = new TextGeneration.TextGenerationClient(channel).GenerateAsync(new GenerateRequest { Prompt = "hi" }, metadata);
        if (accepted)
        {
            await call;
        }
        else
        {
            var (status, message) = await call.FailAsync();
            Assert.Equal(StatusCode.PermissionDenied, status);
            Assert.Contains("evil.example", message, StringComparison.Ordinal);
        }

        Assert.Equal(accepted ? 1 : 0, engine.Requests.Count);
    }
}
