using System.Net;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Budgets are counted, and evictions keep to them, as with kube-controller-manager's disruption controller.</summary>
public sealed class DisruptionBudgetTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    [Theory]
    [InlineData("\"minAvailable\": 2", 3, 2, 3, 1)]
    [InlineData("\"minAvailable\": 0", 3, 0, 3, 3)]
    [InlineData("\"minAvailable\": \"50%\"", 3, 2, 4, 1)]
    [InlineData("\"maxUnavailable\": 1", 3, 3, 4, 0)]
    [InlineData("\"maxUnavailable\": \"30%\"", 3, 2, 4, 1)]
    [InlineData("\"maxUnavailable\": 9", 3, 0, 4, 3)]
    public async Task The_status_says_how_many_pods_may_go(string rule, int healthy, int desired, int expected, int allowed)
    {
        // A widget that asks for 4 replicas; 3 pods exist, all healthy.
        var space = await GivenAsync(rule, replicas: 4, pods: 3);
        await StatusAsync(space, $"{healthy}/{desired}/{expected}/{allowed}");
        var status = (await Client.GetAsync(Budget(space)))["status"]!;
        Assert.Equal(1, (int)status["observedGeneration"]!);
        Assert.Equal(
            allowed > 0 ? ("True", "SufficientPods") : ("False", "InsufficientPods"),
            ((string)status["conditions"]![0]!["status"]!, (string)status["conditions"]![0]!["reason"]!));
    }

    [Fact]
    public async Task The_status_follows_pods_and_replicas()
    {
        var space = await GivenAsync("\"maxUnavailable\": 1", replicas: 3, pods: 3);
        await StatusAsync(space, "3/2/3/1");
        await ReadyAsync(space, "p0", ready: false);
        await StatusAsync(space, "2/2/3/0");
        await Client.MergeAsync($"{Fixtures.WidgetsIn(space)}/w", Fixtures.Json("""{"spec": {"replicas": 2}}"""));
        await StatusAsync(space, "2/1/2/1");
        await Client.MergeAsync(Budget(space), Fixtures.Json("""{"spec": {"maxUnavailable": 0}}"""));
        await StatusAsync(space, "2/2/2/0");
    }

    [Fact]
    public async Task Evictions_stop_where_the_budget_is_used_up_in_kubernetes_words()
    {
        var space = await GivenAsync("\"maxUnavailable\": 1", replicas: 3, pods: 3);
        await EvictAsync(space, "p0", HttpStatusCode.Created);
        using var refused = await Client.SendAsync(HttpMethod.Post, $"{Fixtures.PodsIn(space)}/p1/eviction", Eviction("p1"));
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);

        // Clients would otherwise wait and ask again by themselves, and kubectl drain could not say what it waits for.
        Assert.Null(refused.Headers.RetryAfter);
        var status = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal("TooManyRequests", (string?)status["reason"]);
        Assert.Equal("Cannot evict pod as it would violate the pod's disruption budget.", (string?)status["message"]);
        Assert.Equal("DisruptionBudget", (string?)status["details"]!["causes"]![0]!["reason"]);
        Assert.Equal(
            "The disruption budget b needs 2 healthy pods and has 2 currently", (string?)status["details"]!["causes"]![0]!["message"]);
    }

    [Fact]
    public async Task A_dry_run_takes_nothing()
    {
        var space = await GivenAsync("\"maxUnavailable\": 1", replicas: 3, pods: 3);
        var dry = Fixtures.Json("""{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p0"}, "deleteOptions": {"dryRun": ["All"]}}""");
        await Client.ExpectAsync(HttpStatusCode.Created, HttpMethod.Post, $"{Fixtures.PodsIn(space)}/p0/eviction", dry);
        await Client.GetAsync($"{Fixtures.PodsIn(space)}/p0");
        await EvictAsync(space, "p1", HttpStatusCode.Created);
    }

    [Theory]
    [InlineData("Pending", "IfHealthyBudget", HttpStatusCode.Created)]
    [InlineData("Failed", "IfHealthyBudget", HttpStatusCode.Created)]
    [InlineData("Running", "IfHealthyBudget", HttpStatusCode.TooManyRequests)]
    [InlineData("Running", "AlwaysAllow", HttpStatusCode.Created)]
    public async Task A_pod_that_serves_nobody_may_go_where_the_policy_says_so(string phase, string policy, HttpStatusCode expected)
    {
        var space = await GivenAsync($"\"unhealthyPodEvictionPolicy\": \"{policy}\", \"maxUnavailable\": 1", replicas: 3, pods: 3);
        await ReadyAsync(space, "p0", ready: false, phase);
        await ReadyAsync(space, "p1", ready: false);
        await EvictAsync(space, "p0", expected);
    }

    [Fact]
    public async Task Two_budgets_over_one_pod_are_an_error()
    {
        var space = await GivenAsync("\"maxUnavailable\": 1", replicas: 1, pods: 1);
        await Client.CreateAsync(
            $"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets",
            Fixtures.Json("""{"metadata": {"name": "c"}, "spec": {"selector": {}}}"""));
        await EvictAsync(space, "p0", HttpStatusCode.InternalServerError);
    }

    [Fact]
    public async Task Both_ways_to_say_what_becomes_of_dependents_exclude_each_other()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.WidgetsIn(space), Fixtures.Widget("w"));
        var answer = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Delete, $"{Fixtures.WidgetsIn(space)}/w",
            Fixtures.Json("""{"propagationPolicy": "Orphan", "orphanDependents": true}"""));
        Assert.Contains("orphanDependents and deletionPropagation cannot be both set", (string?)answer["message"]);
    }

    [Theory]
    [InlineData("""{"propagationPolicy": "Orphan"}""", true)]
    [InlineData("""{"orphanDependents": true}""", true)]
    [InlineData("""{"orphanDependents": false}""", false)]
    [InlineData("""{"propagationPolicy": "Foreground"}""", false)]
    public async Task Dependents_stay_without_their_owner_or_go_with_it(string options, bool stay)
    {
        var space = await GivenAsync("\"maxUnavailable\": 1", replicas: 1, pods: 1);
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Fixtures.WidgetsIn(space)}/w", Fixtures.Json(options));
        (await Client.EventuallyAsync($"{Fixtures.WidgetsIn(space)}/w", answer => answer.StatusCode == HttpStatusCode.NotFound)).Dispose();
        if (stay)
        {
            Assert.Null((await Client.GetAsync($"{Fixtures.PodsIn(space)}/p0"))["metadata"]!["ownerReferences"]);
        }
        else
        {
            (await Client.EventuallyAsync($"{Fixtures.PodsIn(space)}/p0", answer => answer.StatusCode == HttpStatusCode.NotFound))
                .Dispose();
        }
    }

    private static string Budget(string space) => $"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets/b";

    private static JsonNode Eviction(string pod) =>
        Fixtures.Json($$$"""{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "{{{pod}}}"}}""");

    private async Task<string> GivenAsync(string rule, int replicas, int pods)
    {
        var space = await fixture.NewNamespaceAsync();
        var owner = await Client.CreateAsync(
            Fixtures.WidgetsIn(space), Fixtures.Widget("w", $$"""{"source": "hf://a", "replicas": {{replicas}}}"""));
        for (var i = 0; i < pods; i++)
        {
            var pod = Fixtures.Pod($"p{i}", """{"app": "x"}""");
            pod["metadata"]!["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "example.test/v1",
                ["kind"] = "Widget",
                ["name"] = "w",
                ["uid"] = (string?)owner["metadata"]!["uid"],
                ["controller"] = true,
                ["blockOwnerDeletion"] = true,
            });
            await Client.CreateAsync(Fixtures.PodsIn(space), pod);
            await ReadyAsync(space, $"p{i}", ready: true);
        }

        await Client.CreateAsync(
            $"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets",
            Fixtures.Json($$$"""{"metadata": {"name": "b"}, "spec": {{{{rule}}}, "selector": {"matchLabels": {"app": "x"} } } }"""));
        return space;
    }

    private Task<JsonObject> ReadyAsync(string space, string pod, bool ready, string phase = "Running") => Client.MergeAsync(
        $"{Fixtures.PodsIn(space)}/{pod}/status",
        Fixtures.Json($$$"""{"status": {"phase": "{{{phase}}}", "conditions": [{"type": "Ready", "status": "{{{ready}}}"}]}}"""));

    private async Task EvictAsync(string space, string pod, HttpStatusCode expected) =>
        await Client.ExpectAsync(expected, HttpMethod.Post, $"{Fixtures.PodsIn(space)}/{pod}/eviction", Eviction(pod));

    /// <summary>currentHealthy/desiredHealthy/expectedPods/disruptionsAllowed.</summary>
    private Task StatusAsync(string space, string expected) => Eventually.True(
        async () =>
        {
            var status = (await Client.GetAsync(Budget(space)))["status"];
            return $"{status?["currentHealthy"]}/{status?["desiredHealthy"]}/{status?["expectedPods"]}/{status?["disruptionsAllowed"]}"
                == expected;
        },
        $"the status is {expected}");
}
