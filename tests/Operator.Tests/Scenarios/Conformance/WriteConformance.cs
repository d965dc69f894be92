using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios.Conformance;

/// <summary>Creating, replacing and patching: identity, optimistic concurrency, generation, status, dry run, field validation.</summary>
public sealed class WriteConformance(ApiServerUnderTest server) : ConformanceTests(server)
{
    [Fact]
    public async Task An_object_is_created_once_with_an_identity_of_the_server_s()
    {
        var wanted = Fixtures.ConfigMap("a");
        wanted["metadata"]!["uid"] = "mine";
        wanted["metadata"]!["generation"] = 7;
        var created = await Api.CreateAsync(ConfigMaps, wanted);
        Assert.NotEqual("mine", (string?)created["metadata"]!["uid"]);

        // A kind without generations keeps what it was given, and has none of its own.
        Assert.Equal(7, Generation(created));
        Assert.Null(Generation(await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("without"))));
        await RefusedAsync(HttpStatusCode.Conflict, "AlreadyExists", HttpMethod.Post, ConfigMaps, Fixtures.ConfigMap("a"));
        await RefusedAsync(
            HttpStatusCode.NotFound, "NotFound", HttpMethod.Post, Fixtures.ConfigMapsIn("no-such-namespace"), Fixtures.ConfigMap("a"));
        await RefusedAsync(HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Post, ConfigMaps, Fixtures.ConfigMap("Not_A_Name"));
        await RefusedAsync(
            HttpStatusCode.BadRequest, "BadRequest", HttpMethod.Post, ConfigMaps,
            Fixtures.ConfigMap("b", """{"namespace": "elsewhere"}"""));
    }

    [Fact]
    public async Task A_new_object_must_not_claim_a_version()
    {
        using var refused = await Api.SendAsync(HttpMethod.Post, ConfigMaps, Fixtures.ConfigMap("a", """{"resourceVersion": "5"}"""));
        Assert.False(refused.IsSuccessStatusCode);
        Assert.Contains(
            "resourceVersion should not be set on objects to be created", await refused.Content.ReadAsStringAsync(),
            StringComparison.Ordinal);
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Get, $"{ConfigMaps}/a");
    }

    [Fact]
    public async Task Generated_names_keep_their_stem_and_differ()
    {
        var stem = Fixtures.Json("""{"metadata": {"generateName": "part-"}}""");
        var names = new[]
        {
            await Api.CreateAsync(ConfigMaps, stem.DeepClone()),
            await Api.CreateAsync(ConfigMaps, stem.DeepClone())
        }.Select(m => (string)m["metadata"]!["name"]!).ToList();
        Assert.All(names, name => Assert.Matches("^part-[a-z0-9]{5}$", name));
        Assert.Equal(2, names.Distinct().Count());
    }

    [Fact]
    public async Task A_replacement_of_an_old_version_conflicts_and_one_without_a_version_depends_on_the_kind()
    {
        var first = await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("a"));
        var second = first.DeepClone();
        second["data"] = Fixtures.Json("""{"a": "2"}""");
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Put, $"{ConfigMaps}/a", second);
        var conflict = await ConflictAsync(HttpMethod.Put, $"{ConfigMaps}/a", first);
        Assert.Contains(
            "please apply your changes to the latest version and try again", (string?)conflict["message"], StringComparison.Ordinal);
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Put, $"{ConfigMaps}/a", Fixtures.ConfigMap("a"));

        await Api.CreateAsync(Deployments, Deployment());
        var invalid = await RefusedAsync(HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Put, $"{Deployments}/llm", Deployment());
        Assert.Contains("metadata.resourceVersion", (string?)invalid["message"], StringComparison.Ordinal);
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Put, $"{ConfigMaps}/nobody", Fixtures.ConfigMap("nobody"));
        await RefusedAsync(HttpStatusCode.BadRequest, "BadRequest", HttpMethod.Put, $"{ConfigMaps}/a", Fixtures.ConfigMap("b"));
    }

    [Fact]
    public async Task A_status_written_from_an_old_version_conflicts()
    {
        var old = await Api.CreateAsync(Deployments, Deployment());
        await Api.MergeAsync($"{Deployments}/llm", Fixtures.Json("""{"spec": {"replicas": 2}}"""));
        old["status"] = new JsonObject { ["replicas"] = 1 };
        await ConflictAsync(HttpMethod.Put, $"{Deployments}/llm/status", old);
        await ConflictAsync(
            HttpMethod.Patch, $"{Deployments}/llm/status",
            Fixtures.Json($$$"""{"metadata": {"resourceVersion": "{{{Version(old)}}}"}, "status": {"replicas": 1}}"""),
            "application/merge-patch+json");
        var written = await Api.MergeAsync($"{Deployments}/llm/status", Fixtures.Json("""{"status": {"replicas": 1}}"""));
        Assert.Equal((2, 1), ((int?)written["spec"]!["replicas"], (int?)written["status"]!["replicas"]));
    }

    [Fact]
    public async Task Generation_counts_changes_of_the_spec_and_nothing_else()
    {
        Assert.Equal(1, Generation(await Api.CreateAsync(Deployments, Deployment())));
        var path = $"{Deployments}/llm";
        Assert.Equal(
            1,
            Generation(await Api.MergeAsync(path, Fixtures.Json("""{"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}"""))));
        Assert.Equal(1, Generation(await Api.MergeAsync($"{path}/status", Fixtures.Json("""{"status": {"replicas": 1}}"""))));
        Assert.Equal(1, Generation(await Api.MergeAsync(path, Fixtures.Json("""{"metadata": {"generation": 9}}"""))));
        Assert.Equal(1, Generation(await Api.MergeAsync(path, Fixtures.Json("""{"spec": {"replicas": 1}}"""))));
        Assert.Equal(2, Generation(await Api.MergeAsync(path, Fixtures.Json("""{"spec": {"replicas": 2}}"""))));
        await Api.MergeAsync($"{path}/scale", Fixtures.Json("""{"spec": {"replicas": 3}}"""));
        Assert.Equal(3, Generation(await Api.GetAsync(path)));
    }

    [Fact]
    public async Task Status_changes_only_through_its_subresource_and_through_it_nothing_else_does()
    {
        var wanted = Deployment();
        wanted["status"] = new JsonObject { ["replicas"] = 5 };
        var created = await Api.CreateAsync(Deployments, wanted);
        Assert.Null(created["status"]);
        Assert.Null((await Api.MergeAsync($"{Deployments}/llm", Fixtures.Json("""{"status": {"replicas": 5}}""")))["status"]);
        var written = await Api.MergeAsync(
            $"{Deployments}/llm/status",
            Fixtures.Json("""{"spec": {"replicas": 8}, "metadata": {"labels": {"a": "b"}}, "status": {"replicas": 5}}"""));
        Assert.Equal(
            (1, null, 5), ((int?)written["spec"]!["replicas"], written["metadata"]!["labels"], (int?)written["status"]!["replicas"]));
    }

    [Fact]
    public async Task A_patch_that_changes_nothing_makes_no_new_version()
    {
        var created = await Api.CreateAsync(Deployments, Deployment());
        Assert.Equal(Version(created), Version(await Api.MergeAsync($"{Deployments}/llm", Fixtures.Json("""{"spec": {"replicas": 1}}"""))));
        Assert.Equal(Version(created), Version(await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Put, $"{Deployments}/llm", created)));
    }

    [Fact]
    public async Task A_json_patch_tests_before_it_changes()
    {
        await Api.CreateAsync(Deployments, Deployment());
        const string Type = "application/json-patch+json";
        await Api.PatchAsync(
            $"{Deployments}/llm",
            Fixtures.Json(
                """[{"op": "test", "path": "/spec/replicas", "value": 1}, {"op": "replace", "path": "/spec/replicas", "value": 2}]"""),
                Type);
        await Api.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, $"{Deployments}/llm",
            Fixtures.Json("""[{"op": "test", "path": "/spec/replicas", "value": 1}]"""), Type);
    }

    [Fact]
    public async Task A_dry_run_answers_as_the_write_would_and_leaves_no_trace()
    {
        var would = await Api.CreateAsync($"{ConfigMaps}?dryRun=All", Fixtures.ConfigMap("a"));
        Assert.NotNull(would["metadata"]!["uid"]);
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Get, $"{ConfigMaps}/a");

        var real = await Api.CreateAsync(Deployments, Deployment());
        Assert.Equal(
            3,
            (int?)(await Api.MergeAsync(
                $"{Deployments}/llm?dryRun=All", Fixtures.Json("""{"spec": {"replicas": 3}}""")))["spec"]!["replicas"]);
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Deployments}/llm?dryRun=All");
        await RefusedAsync(
            HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Patch, $"{Deployments}/llm?dryRun=All",
            Fixtures.Json("""{"spec": {"replicas": -3}}"""), "application/merge-patch+json");
        await RefusedAsync(HttpStatusCode.Conflict, "AlreadyExists", HttpMethod.Post, $"{Deployments}?dryRun=All", Deployment());
        Assert.Equal(Version(real), Version(await Api.GetAsync($"{Deployments}/llm")));
    }

    [Fact]
    public async Task Unknown_fields_are_refused_warned_of_or_dropped_as_asked()
    {
        var wrong = Deployment();
        wrong["spec"]!["replica"] = 2;
        var refused = await RefusedAsync(
            HttpStatusCode.BadRequest, "BadRequest", HttpMethod.Post, $"{Deployments}?fieldValidation=Strict", wrong);
        Assert.Contains("strict decoding error: unknown field \"spec.replica\"", (string?)refused["message"], StringComparison.Ordinal);

        using var warned = await Api.SendAsync(HttpMethod.Post, $"{Deployments}?dryRun=All&fieldValidation=Warn", wrong);
        Assert.Equal(HttpStatusCode.Created, warned.StatusCode);
        Assert.Equal("299 - \"unknown field \\\"spec.replica\\\"\"", Assert.Single(warned.Headers.GetValues("Warning")));

        using var ignored = await Api.SendAsync(HttpMethod.Post, $"{Deployments}?fieldValidation=Ignore", wrong);
        Assert.False(ignored.Headers.Contains("Warning"));
        Assert.Null((await Api.GetAsync($"{Deployments}/llm"))["spec"]!["replica"]);
    }

    [Fact]
    public async Task The_scale_subresource_reads_writes_and_conflicts_as_the_object_does()
    {
        await Api.CreateAsync(Deployments, Deployment(replicas: 2));
        var scale = await Api.GetAsync($"{Deployments}/llm/scale");
        Assert.Equal(
            ("Scale", "autoscaling/v1", 2), ((string?)scale["kind"], (string?)scale["apiVersion"], (int?)scale["spec"]!["replicas"]));
        var stale = scale.DeepClone();
        scale["spec"]!["replicas"] = 3;
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Put, $"{Deployments}/llm/scale", scale);
        await ConflictAsync(HttpMethod.Put, $"{Deployments}/llm/scale", stale);
        await RefusedAsync(
            HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Patch, $"{Deployments}/llm/scale",
            Fixtures.Json("""{"spec": {"replicas": -1}}"""), "application/merge-patch+json");
        await RefusedAsync(HttpStatusCode.NotFound, "NotFound", HttpMethod.Get, $"{ConfigMaps}/a/scale");
    }
}
