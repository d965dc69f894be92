using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios.Conformance;

/// <summary>Deleting: finalizers, grace, preconditions, and what becomes of dependents.</summary>
public sealed class DeletionConformance(ApiServerUnderTest server) : ConformanceTests(server)
{
    private const string NeedsCollector =
        "garbage collection is kube-controller-manager's work, which does not run beside a bare kube-apiserver";

    [Fact]
    public async Task A_finalizer_holds_a_deleted_object_until_it_is_taken_off()
    {
        var held = Deployment();
        held["metadata"]!["finalizers"] = new JsonArray("example.test/a", "example.test/b");
        await Api.CreateAsync(Deployments, held);
        var path = $"{Deployments}/llm";
        var deleted = await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, path);
        Assert.NotNull(deleted["metadata"]!["deletionTimestamp"]);
        Assert.Equal(2, Generation(deleted));

        var again = await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, path);
        Assert.Equal((string?)deleted["metadata"]!["deletionTimestamp"], (string?)again["metadata"]!["deletionTimestamp"]);
        var forbidden = await RefusedAsync(
            HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Patch, path,
            Fixtures.Json("""{"metadata": {"finalizers": ["example.test/a", "example.test/c"]}}"""), "application/merge-patch+json");
        Assert.Contains(
            "no new finalizers can be added if the object is being deleted", (string?)forbidden["message"], StringComparison.Ordinal);
        await Api.MergeAsync($"{path}/status", Fixtures.Json("""{"status": {"replicas": 0}}"""));
        await Api.MergeAsync(path, Fixtures.Json("""{"metadata": {"finalizers": ["example.test/b"]}}"""));
        await Api.GetAsync(path);
        await Api.MergeAsync(path, Fixtures.Json("""{"metadata": {"finalizers": null}}"""));
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Get, path);
    }

    [Fact]
    public async Task A_running_pod_is_given_its_grace_and_zero_ends_it_at_once()
    {
        var pod = Fixtures.Pod("p");
        pod["spec"]!["terminationGracePeriodSeconds"] = 60;
        await Api.CreateAsync(Pods, pod);
        await Api.ExpectAsync(HttpStatusCode.Created, HttpMethod.Post, $"{Pods}/p/binding", Binding("p"));
        var ending = await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Pods}/p");
        Assert.Equal((60, "p"), ((int?)ending["metadata"]!["deletionGracePeriodSeconds"], (string?)ending["metadata"]!["name"]));
        var sooner = await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Pods}/p?gracePeriodSeconds=5");
        Assert.Equal(5, (int?)sooner["metadata"]!["deletionGracePeriodSeconds"]);
        var later = await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Pods}/p?gracePeriodSeconds=50");
        Assert.Equal(5, (int?)later["metadata"]!["deletionGracePeriodSeconds"]);
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Pods}/p?gracePeriodSeconds=0");
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Get, $"{Pods}/p");
    }

    [Fact]
    public async Task A_pod_that_was_never_bound_is_gone_at_once()
    {
        await Api.CreateAsync(Pods, Fixtures.Pod("p"));
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Pods}/p");
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Get, $"{Pods}/p");
    }

    [Fact]
    public async Task A_pod_is_bound_once_and_its_spec_is_fixed()
    {
        await Api.CreateAsync(Pods, Fixtures.Pod("p"));
        await Api.ExpectAsync(HttpStatusCode.Created, HttpMethod.Post, $"{Pods}/p/binding", Binding("p"));
        await ConflictAsync(HttpMethod.Post, $"{Pods}/p/binding", Binding("p"));
        var bound = await Api.GetAsync($"{Pods}/p");
        Assert.Equal("some-node", (string?)bound["spec"]!["nodeName"]);
        Assert.Contains(
            bound["status"]!["conditions"]!.AsArray(), c => (string?)c!["type"] == "PodScheduled" && (string?)c["status"] == "True");
        await RefusedAsync(
            HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Patch, $"{Pods}/p",
            Fixtures.Json("""{"spec": {"nodeName": "another"}}"""), "application/merge-patch+json");
    }

    [Fact]
    public async Task An_evicted_pod_is_deleted()
    {
        await Api.CreateAsync(Pods, Fixtures.Pod("p"));
        await Api.ExpectAsync(
            HttpStatusCode.Created, HttpMethod.Post, $"{Pods}/p/eviction",
            Fixtures.Json($$$"""{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": "{{{Space}}}"}}"""));
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Get, $"{Pods}/p");
    }

    [Fact]
    public async Task Preconditions_guard_against_deleting_another_incarnation_or_version()
    {
        var first = await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("a"));
        await Api.MergeAsync($"{ConfigMaps}/a", Fixtures.Json("""{"data": {"a": "2"}}"""));
        await ConflictAsync(
            HttpMethod.Delete, $"{ConfigMaps}/a", Options($$$"""{"preconditions": {"resourceVersion": "{{{Version(first)}}}"}}"""));
        await ConflictAsync(
            HttpMethod.Delete, $"{ConfigMaps}/a", Options("""{"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}"""));
        var gone = await Api.ExpectAsync(
            HttpStatusCode.OK, HttpMethod.Delete, $"{ConfigMaps}/a",
            Options($$$"""{"preconditions": {"uid": "{{{first["metadata"]!["uid"]}}}"}}"""));
        Assert.Equal(("Status", "Success"), ((string?)gone["kind"], (string?)gone["status"]));
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Delete, $"{ConfigMaps}/a");
    }

    [Theory]
    [InlineData("Background", false)]
    [InlineData("Foreground", false)]
    [InlineData("Orphan", true)]
    public async Task Dependents_follow_their_owner_or_not_as_asked(string policy, bool stays)
    {
        Assert.SkipWhen(!ApiServerUnderTest.HasControllers, NeedsCollector);
        var owner = await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("owner"));
        await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("dependent", OwnedBy(owner)));
        await Api.ExpectAsync(
            HttpStatusCode.OK, HttpMethod.Delete, $"{ConfigMaps}/owner", Options($$$"""{"propagationPolicy": "{{{policy}}}"}"""));
        using var ownerGone = await Api.EventuallyAsync($"{ConfigMaps}/owner", r => r.StatusCode == HttpStatusCode.NotFound);
        if (stays)
        {
            Assert.Null((await Api.GetAsync($"{ConfigMaps}/dependent"))["metadata"]!["ownerReferences"]);
        }
        else
        {
            using var dependentGone = await Api.EventuallyAsync($"{ConfigMaps}/dependent", r => r.StatusCode == HttpStatusCode.NotFound);
        }
    }

    [Fact]
    public async Task In_the_foreground_an_owner_waits_for_dependents_that_block_and_shows_it()
    {
        Assert.SkipWhen(!ApiServerUnderTest.HasControllers, NeedsCollector);
        var owner = await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("owner"));
        var dependent = Fixtures.ConfigMap("dependent", OwnedBy(owner, """, "blockOwnerDeletion": true"""));
        dependent["metadata"]!["finalizers"] = new JsonArray("example.test/hold");
        await Api.CreateAsync(ConfigMaps, dependent);
        var waiting = await Api.ExpectAsync(
            HttpStatusCode.OK, HttpMethod.Delete, $"{ConfigMaps}/owner", Options("""{"propagationPolicy": "Foreground"}"""));
        Assert.Equal("foregroundDeletion", (string?)waiting["metadata"]!["finalizers"]![0]);
        await Eventually.True(
            async () => (await Api.GetAsync($"{ConfigMaps}/dependent"))["metadata"]!["deletionTimestamp"] is not null,
            "the dependent is told to go");
        await Api.GetAsync($"{ConfigMaps}/owner");
        await Api.MergeAsync($"{ConfigMaps}/dependent", Fixtures.Json("""{"metadata": {"finalizers": null}}"""));
        using var gone = await Api.EventuallyAsync($"{ConfigMaps}/owner", r => r.StatusCode == HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_dependent_of_two_owners_stays_until_the_second_goes()
    {
        Assert.SkipWhen(!ApiServerUnderTest.HasControllers, NeedsCollector);
        var one = await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("one"));
        var two = await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("two"));
        var dependent = Fixtures.ConfigMap("dependent", OwnedBy(one));
        dependent["metadata"]!["ownerReferences"]!.AsArray().Add(JsonNode.Parse(OwnedBy(two))!["ownerReferences"]![0]!.DeepClone());
        await Api.CreateAsync(ConfigMaps, dependent);
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{ConfigMaps}/one");
        await Eventually.True(
            async () => (await Api.GetAsync($"{ConfigMaps}/dependent"))["metadata"]!["ownerReferences"]!.AsArray().Count == 1,
            "the absent owner is struck off");
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{ConfigMaps}/two");
        using var gone = await Api.EventuallyAsync($"{ConfigMaps}/dependent", r => r.StatusCode == HttpStatusCode.NotFound);
    }

    private static JsonObject Binding(string pod) =>
        (JsonObject)Fixtures.Json(
            $$$"""{"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "{{{pod}}}"}, "target": {"apiVersion": "v1", "kind": "Node", "name": "some-node"}}""");

    private static JsonObject Options(string options)
    {
        var result = (JsonObject)Fixtures.Json(options);
        (result["apiVersion"], result["kind"]) = ("v1", "DeleteOptions");
        return result;
    }

    private static string OwnedBy(JsonObject owner, string more = "") =>
        $$$"""{"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "{{{owner["metadata"]!["name"]}}}", "uid": "{{{owner["metadata"]!["uid"]}}}"{{{more}}}}]}""";
}
