using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Microsoft.Extensions.Time.Testing;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Finalizers, grace, preconditions, owners, namespaces.</summary>
public sealed class DeletionTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    private static bool IsGone(HttpResponseMessage response) => response.StatusCode == HttpStatusCode.NotFound;

    private static string Owner(JsonObject owner, bool block = false) => $$$"""
        {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "{{{(string?)owner["metadata"]!["name"]}}}", "uid": "{{{(string?)owner["metadata"]!["uid"]}}}", "blockOwnerDeletion": {{{(block ? "true" : "false")}}}}]}
        """;

    [Fact]
    public async Task A_finalizer_holds_a_deleted_object_until_it_is_removed()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        await Client.CreateAsync(path, Fixtures.ConfigMap("a", """{"finalizers": ["x.test/f"]}"""));
        var marked = await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/a");
        Assert.NotNull(marked["metadata"]!["deletionTimestamp"]);
        var refused = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, $"{path}/a",
            Fixtures.Json("""{"metadata": {"finalizers": ["x.test/f", "x.test/g"]}}"""), "application/merge-patch+json");
        Assert.Contains("no new finalizers can be added if the object is being deleted", (string?)refused["message"]);
        await Client.MergeAsync($"{path}/a", Fixtures.Json("""{"metadata": {"finalizers": null}}"""));
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{path}/a");
    }

    [Fact]
    public async Task Preconditions_protect_another_incarnation()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var created = await Client.CreateAsync(path, Fixtures.ConfigMap("a"));
        await Client.ExpectAsync(
            HttpStatusCode.Conflict, HttpMethod.Delete, $"{path}/a", Fixtures.Json("""{"preconditions": {"uid": "other"}}"""));
        await Client.ExpectAsync(
            HttpStatusCode.Conflict, HttpMethod.Delete, $"{path}/a", Fixtures.Json("""{"preconditions": {"resourceVersion": "1"}}"""));
        var deleted = await Client.ExpectAsync(
            HttpStatusCode.OK, HttpMethod.Delete, $"{path}/a",
            new JsonObject { ["preconditions"] = new JsonObject { ["uid"] = (string?)created["metadata"]!["uid"] } });
        Assert.Equal(("Success", "configmaps"), ((string?)deleted["status"], (string?)deleted["details"]!["kind"]));
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Delete, $"{path}/a");
    }

    [Fact]
    public async Task A_scheduled_pod_waits_for_its_node_and_an_unscheduled_one_goes_at_once()
    {
        var space = await fixture.NewNamespaceAsync();
        var path = Fixtures.PodsIn(space);
        await Client.CreateAsync(path, Fixtures.Pod("loose"));
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/loose");
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{path}/loose");

        await Client.CreateAsync(path, Fixtures.Pod("p"));
        await Client.CreateAsync(
            $"{path}/p/binding",
            Fixtures.Json(
                """{"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}"""));
        await Client.ExpectAsync(
            HttpStatusCode.Conflict, HttpMethod.Post, $"{path}/p/binding",
            Fixtures.Json(
                """{"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "m"}}"""));
        var marked = await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/p");
        Assert.Equal(30, (int?)marked["metadata"]!["deletionGracePeriodSeconds"]);
        Assert.Equal(
            "True", (string?)((JsonArray)marked["status"]!["conditions"]!).Single(c => (string?)c!["type"] == "PodScheduled")!["status"]);
        var sooner = await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/p?gracePeriodSeconds=5");
        Assert.Equal(5, (int?)sooner["metadata"]!["deletionGracePeriodSeconds"]);
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/p", Fixtures.Json("""{"gracePeriodSeconds": 0}"""));
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{path}/p");
    }

    [Fact]
    public async Task Pods_have_defaults_and_a_spec_that_cannot_change()
    {
        var path = Fixtures.PodsIn(await fixture.NewNamespaceAsync());
        var pod = await Client.CreateAsync(path, Fixtures.Pod("p"));
        Assert.Equal(
            ("Always", 30, "Pending", "BestEffort"),
            ((string?)pod["spec"]!["restartPolicy"], (int?)pod["spec"]!["terminationGracePeriodSeconds"], (string?)pod["status"]!["phase"],
                (string?)pod["status"]!["qosClass"]));
        var refused = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, $"{path}/p", Fixtures.Json("""{"spec": {"restartPolicy": "Never"}}"""),
            "application/merge-patch+json");
        Assert.Contains("Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than", (string?)refused["message"]);
        await Client.MergeAsync($"{path}/p/status", Fixtures.Json("""{"status": {"phase": "Running"}}"""));
        Assert.Equal("Running", (string?)(await Client.GetAsync($"{path}/p"))["status"]!["phase"]);
    }

    [Fact]
    public async Task A_disruption_budget_stops_an_eviction()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.PodsIn(space), Fixtures.Pod("p", """{"app": "x"}"""));
        await Client.MergeAsync(
            $"{Fixtures.PodsIn(space)}/p/status", Fixtures.Json("""{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}"""));
        var budgets = $"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets";
        await Client.CreateAsync(
            budgets,
            Fixtures.Json("""{"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}}"""));
        var eviction = Fixtures.Json("""{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}""");
        var refused = await Client.ExpectAsync(
            HttpStatusCode.TooManyRequests, HttpMethod.Post, $"{Fixtures.PodsIn(space)}/p/eviction", eviction.DeepClone());
        Assert.Equal("DisruptionBudget", (string?)refused["details"]!["causes"]![0]!["reason"]);
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{budgets}/b");
        await Client.CreateAsync($"{Fixtures.PodsIn(space)}/p/eviction", eviction);
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{Fixtures.PodsIn(space)}/p");
    }

    [Fact]
    public async Task Dependents_go_with_their_owner_in_the_background()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var owner = await Client.CreateAsync(path, Fixtures.ConfigMap("owner"));
        var middle = await Client.CreateAsync(path, Fixtures.ConfigMap("middle", Owner(owner)));
        await Client.CreateAsync(path, Fixtures.ConfigMap("leaf", Owner(middle)));
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/owner");
        (await Client.EventuallyAsync($"{path}/leaf", IsGone)).Dispose();
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{path}/middle");
    }

    [Fact]
    public async Task A_dependent_of_an_owner_that_never_was_is_collected()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        await Client.CreateAsync(
            path,
            Fixtures.ConfigMap(
                "a", """{"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "0000"}]}"""));
        (await Client.EventuallyAsync($"{path}/a", IsGone)).Dispose();
    }

    [Fact]
    public async Task Orphaned_dependents_stay_without_the_reference()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var owner = await Client.CreateAsync(path, Fixtures.ConfigMap("owner"));
        await Client.CreateAsync(path, Fixtures.ConfigMap("child", Owner(owner)));
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/owner?propagationPolicy=Orphan");
        (await Client.EventuallyAsync($"{path}/owner", IsGone)).Dispose();
        Assert.Null((await Client.GetAsync($"{path}/child"))["metadata"]!["ownerReferences"]);
    }

    [Fact]
    public async Task A_foreground_deletion_waits_for_blocking_dependents()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var owner = await Client.CreateAsync(path, Fixtures.ConfigMap("owner"));
        var child = Fixtures.ConfigMap("child", Owner(owner, block: true));
        child["metadata"]!["finalizers"] = new JsonArray("x.test/hold");
        await Client.CreateAsync(path, child);
        await Client.ExpectAsync(
            HttpStatusCode.OK, HttpMethod.Delete, $"{path}/owner", Fixtures.Json("""{"propagationPolicy": "Foreground"}"""));
        using (await Client.EventuallyAsync(
            $"{path}/child", r => r.Content.ReadAsStringAsync().Result.Contains("deletionTimestamp", StringComparison.Ordinal)))
        {
            Assert.Equal("foregroundDeletion", (string?)(await Client.GetAsync($"{path}/owner"))["metadata"]!["finalizers"]![0]);
        }
        await Client.PatchAsync(
            $"{path}/child",
            Fixtures.Json(
                """[{"op": "test", "path": "/metadata/finalizers/0", "value": "x.test/hold"}, {"op": "remove", "path": "/metadata/finalizers/0"}]"""), "application/json-patch+json");
        (await Client.EventuallyAsync($"{path}/owner", IsGone)).Dispose();
    }

    [Fact]
    public async Task A_second_deletion_keeps_the_propagation_of_the_first()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        await Client.CreateAsync(path, Fixtures.ConfigMap("a", """{"finalizers": ["x.test/f", "foregroundDeletion"]}"""));
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/a?propagationPolicy=Orphan&dryRun=All");
        var marked = await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/a?dryRun=All");
        Assert.Equal("""["x.test/f","foregroundDeletion"]""", marked["metadata"]!["finalizers"]!.ToJsonString());
        await Client.ExpectAsync(HttpStatusCode.UnprocessableEntity, HttpMethod.Delete, $"{path}/a?propagationPolicy=Sideways");
    }

    [Fact]
    public async Task Events_expire_after_an_hour()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var server = await LocalApiServer.StartAsync(new LocalApiServerOptions { Clock = clock }, CancellationToken.None);
        using var client = new ApiClient(server);
        const string Events = "/api/v1/namespaces/default/events";
        await client.CreateAsync(
            Events,
            Fixtures.Json(
                """{"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"}, "reason": "R", "message": "m", "type": "Normal"}"""));
        clock.Advance(TimeSpan.FromMinutes(59));
        await client.CreateAsync(Fixtures.ConfigMapsIn("default"), Fixtures.ConfigMap("a"));
        await client.GetAsync($"{Events}/e");

        // An hour from when it was first seen, which is a moment after it was written.
        var writes = 0;
        await Eventually.True(
            async () =>
            {
                clock.Advance(TimeSpan.FromMinutes(61));
                await client.CreateAsync(Fixtures.ConfigMapsIn("default"), Fixtures.ConfigMap($"b{writes++}"));
                return (await client.GetAsync(Events))["items"]!.AsArray().Count == 0;
            },
            "the event expires");
    }

    [Fact]
    public async Task A_namespace_empties_before_it_goes_and_takes_nothing_new()
    {
        var space = await fixture.NewNamespaceAsync();
        var path = Fixtures.ConfigMapsIn(space);
        await Client.CreateAsync(path, Fixtures.ConfigMap("a", """{"finalizers": ["x.test/f"]}"""));
        var marked = await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"/api/v1/namespaces/{space}");
        Assert.Equal("Terminating", (string?)marked["status"]!["phase"]);
        var refused = await Client.ExpectAsync(HttpStatusCode.Forbidden, HttpMethod.Post, path, Fixtures.ConfigMap("b"));
        Assert.Contains("because it is being terminated", (string?)refused["message"]);
        await Client.MergeAsync($"{path}/a", Fixtures.Json("""{"metadata": {"finalizers": null}}"""));
        (await Client.EventuallyAsync($"/api/v1/namespaces/{space}", IsGone)).Dispose();
    }

    [Fact]
    public async Task Logs_are_asked_of_the_node_with_every_option()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.PodsIn(space), Fixtures.Pod("p"));
        var text = await Client.Http.GetStringAsync(
            $"{Fixtures.PodsIn(space)}/p/log?container=worker&tailLines=7&previous=true&timestamps=true&limitBytes=9");
        Assert.Equal($"hello from {space}/p/worker\n", text);
        var options = fixture.Logs.LastOptions!;
        Assert.Equal(
            (7L, true, true, 9L, false), (options.TailLines, options.Previous, options.Timestamps, options.LimitBytes, options.Follow));
        await Client.ExpectAsync(HttpStatusCode.BadRequest, HttpMethod.Get, $"{Fixtures.PodsIn(space)}/p/log?container=nope");
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{Fixtures.PodsIn(space)}/none/log");
    }
}
