using System.Net;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Kinds that are stored and checked but not acted on: what charts and samples bring along.</summary>
public sealed class WorkloadKindTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    [Theory]
    [InlineData("""{"a": "1"}""", """{"a": "2"}""", "`selector` does not match template `labels`")]
    [InlineData("{}", """{"a": "1"}""", "spec.selector: Required value")]
    public async Task A_deployment_that_would_not_own_its_pods_is_refused(string selector, string labels, string problem)
    {
        var answer = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, await DeploymentsAsync(), Deployment(selector, labels));
        Assert.Contains(problem, (string)answer["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deployments_selector_is_fixed_and_replicas_are_not()
    {
        var path = await DeploymentsAsync();
        var made = await Client.CreateAsync(path, Deployment("""{"a": "1"}""", """{"a": "1", "b": "2"}"""));
        Assert.Equal(1, (int)made["spec"]!["replicas"]!);
        await Client.MergeAsync($"{path}/d", Fixtures.Json("""{"spec": {"replicas": 4}}"""));
        using var answer = await Client.SendAsync(
            HttpMethod.Patch, $"{path}/d", Fixtures.Json("""{"spec": {"selector": {"matchLabels": {"b": "2"}}}}"""),
            "application/merge-patch+json");
        Assert.Contains("field is immutable", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"maxReplicas": 3}""", "spec.scaleTargetRef.kind: Required value")]
    [InlineData("""{"scaleTargetRef": {"kind": "A", "name": "b"}}""", "must be greater than 0")]
    [InlineData(
        """{"scaleTargetRef": {"kind": "A", "name": "b"}, "minReplicas": 5, "maxReplicas": 3}""",
        "must be greater than or equal to `minReplicas`")]
    public async Task An_autoscaler_needs_a_target_and_bounds(string spec, string problem)
    {
        var body = new JsonObject { ["metadata"] = new JsonObject { ["name"] = "a" }, ["spec"] = Fixtures.Json(spec) };
        var answer = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post,
            $"/apis/autoscaling/v2/namespaces/{await fixture.NewNamespaceAsync()}/horizontalpodautoscalers", body);
        Assert.Contains(problem, (string)answer["message"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", """["Ingress"]""")]
    [InlineData("""{"egress": [{"ports": [{"port": 53}]}]}""", """["Ingress","Egress"]""")]
    [InlineData("""{"egress": [], "policyTypes": ["Egress"]}""", """["Egress"]""")]
    public async Task A_network_policy_says_which_directions_it_is_about(string spec, string types)
    {
        var body = new JsonObject { ["metadata"] = new JsonObject { ["name"] = "p" }, ["spec"] = Fixtures.Json(spec) };
        var made = await Client.CreateAsync(
            $"/apis/networking.k8s.io/v1/namespaces/{await fixture.NewNamespaceAsync()}/networkpolicies", body);
        Assert.Equal(types, made["spec"]!["policyTypes"]!.ToJsonString());
        Assert.All(
            made["spec"]!["egress"] is JsonArray { Count: > 0 } rules ? rules[0]!["ports"]!.AsArray() : [],
            port => Assert.Equal("TCP", (string?)port!["protocol"]));
    }

    [Fact]
    public async Task An_unknown_policy_type_is_refused()
    {
        var body = new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "p" },
            ["spec"] = Fixtures.Json("""{"policyTypes": ["Sideways"]}""")
        };
        var answer = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post,
            $"/apis/networking.k8s.io/v1/namespaces/{await fixture.NewNamespaceAsync()}/networkpolicies", body);
        Assert.Contains("Unsupported value: \"Sideways\"", (string)answer["message"]!, StringComparison.Ordinal);
    }

    private async Task<string> DeploymentsAsync() => $"/apis/apps/v1/namespaces/{await fixture.NewNamespaceAsync()}/deployments";

    private static JsonObject Deployment(string selector, string labels) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = "d" },
        ["spec"] = new JsonObject
        {
            ["selector"] = Fixtures.Json(selector) is JsonObject { Count: > 0 } wanted ? new JsonObject { ["matchLabels"] = wanted } : [],
            ["template"] = new JsonObject
            {
                ["metadata"] = new JsonObject { ["labels"] = Fixtures.Json(labels) },
                ["spec"] = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "i" }) },
            },
        },
    };
}
