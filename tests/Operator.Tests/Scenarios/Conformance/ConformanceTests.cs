using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios.Conformance;

/// <summary>What the documented API semantics promise to every client, asked over raw HTTP: a real server passes the same tests.
/// This base gives each test a namespace and the paths of three kinds: built-in without status, built-in with, and custom.</summary>
public abstract class ConformanceTests(ApiServerUnderTest server) : IAsyncLifetime
{
    private protected const string Apply = "application/apply-patch+yaml";

    private protected ApiClient Api { get; private set; } = null!;

    private protected string Space { get; } = $"c-{Guid.NewGuid():N}"[..12];

    private protected string ConfigMaps => Fixtures.ConfigMapsIn(Space);

    private protected string Pods => Fixtures.PodsIn(Space);

    private protected string Deployments => $"/apis/{ApiNames.Group}/{ApiNames.Version}/namespaces/{Space}/{ApiNames.Plural}";

    public async ValueTask InitializeAsync()
    {
        Api = new ApiClient(await server.AccessAsync());
        await Api.CreateAsync("/api/v1/namespaces", Fixtures.Json($$$"""{"metadata": {"name": "{{{Space}}}"}}"""));
    }

    public async ValueTask DisposeAsync()
    {
        using (await Api.SendAsync(HttpMethod.Delete, $"/api/v1/namespaces/{Space}"))
        {
            Api.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    private protected static JsonObject Deployment(string name = "llm", int replicas = 1) => (JsonObject)Fixtures.Json($$$"""
        {"apiVersion": "{{{ApiNames.Group}}}/{{{ApiNames.Version}}}", "kind": "{{{ApiNames.Kind}}}", "metadata": {"name": "{{{name}}}"},
         "spec": {"model": {"source": "file:///models/a"}, "replicas": {{{replicas}}}}}
        """);

    private protected static string? Version(JsonObject value) => (string?)value["metadata"]!["resourceVersion"];

    private protected static long? Generation(JsonObject value) => (long?)value["metadata"]!["generation"];

    private protected Task<JsonObject> ConflictAsync(
        HttpMethod method, string path, JsonNode body, string contentType = "application/json") =>
        RefusedAsync(HttpStatusCode.Conflict, "Conflict", method, path, body, contentType);

    private protected async Task<JsonObject> RefusedAsync(
        HttpStatusCode status, string? reason, HttpMethod method, string path, JsonNode? body = null,
        string contentType = "application/json")
    {
        var answer = await Api.ExpectAsync(status, method, path, body, contentType);
        Assert.Equal(
            ("Status", "Failure", reason, (int)status),
            ((string?)answer["kind"], (string?)answer["status"], (string?)answer["reason"], (int?)answer["code"]));
        return answer;
    }
}
