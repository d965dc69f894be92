using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios.Conformance;

/// <summary>Server-side apply: who owns a field, who conflicts, what force does.</summary>
public sealed class ApplyConformance(ApiServerUnderTest server) : ConformanceTests(server)
{
    private string Path => $"{Deployments}/llm";

    [Fact]
    public async Task The_first_apply_creates_and_the_same_again_changes_nothing()
    {
        var created = await Api.ExpectAsync(HttpStatusCode.Created, HttpMethod.Patch, $"{Path}?fieldManager=one", Deployment(), Apply);
        var again = await Api.ApplyAsync(Path, Deployment(), "one");
        Assert.Equal(Version(created), Version(again));
        Assert.Equal(["one Apply "], Managers(again));
    }

    [Fact]
    public async Task Another_value_for_an_owned_field_conflicts_and_force_takes_the_field_over()
    {
        await Api.ApplyAsync(Path, Deployment(replicas: 2), "one");
        var conflict = await ConflictAsync(HttpMethod.Patch, $"{Path}?fieldManager=two", Deployment(replicas: 3), Apply);
        Assert.Equal(
            ("FieldManagerConflict", ".spec.replicas"),
            ((string?)conflict["details"]!["causes"]![0]!["reason"], (string?)conflict["details"]!["causes"]![0]!["field"]));

        var forced = await Api.ApplyAsync(Path, Deployment(replicas: 3), "two", force: true);
        Assert.Equal(3, (int?)forced["spec"]!["replicas"]);
        Assert.DoesNotContain("f:replicas", Entry(forced, "one"), StringComparison.Ordinal);
        Assert.Contains("f:replicas", Entry(forced, "two"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_value_is_shared_and_leaves_with_its_last_owner()
    {
        var drained = Deployment();
        drained["spec"]!["engine"] = Fixtures.Json("""{"maxModelLen": 4096}""");
        await Api.ApplyAsync(Path, drained.DeepClone(), "one");
        await Api.ApplyAsync(Path, drained.DeepClone(), "two");
        Assert.Equal(4096, (int?)(await Api.ApplyAsync(Path, Deployment(), "one"))["spec"]!["engine"]!["maxModelLen"]);
        Assert.Null((await Api.ApplyAsync(Path, Deployment(), "two"))["spec"]!["engine"]?["maxModelLen"]);
    }

    [Fact]
    public async Task Replicas_that_nobody_owned_belong_to_nobody_after_a_scale_and_an_apply_without_the_field_leaves_them()
    {
        var silent = Deployment();
        silent["spec"]!.AsObject().Remove("replicas");
        await Api.ApplyAsync(Path, silent.DeepClone(), "one");
        await Api.MergeAsync($"{Path}/scale?fieldManager=scaler", Fixtures.Json("""{"spec": {"replicas": 4}}"""));
        var applied = await Api.ApplyAsync(Path, silent.DeepClone(), "one");
        Assert.Equal(4, (int?)applied["spec"]!["replicas"]);
        Assert.Equal(["one Apply "], Managers(applied));
        Assert.Equal(2, (int?)(await Api.ApplyAsync(Path, Deployment(replicas: 2), "one"))["spec"]!["replicas"]);
    }

    [Fact]
    public async Task Replicas_that_somebody_owned_belong_to_the_scaler()
    {
        await Api.ApplyAsync(Path, Deployment(replicas: 3), "one");
        var scaled = await Api.MergeAsync($"{Path}/scale?fieldManager=scaler", Fixtures.Json("""{"spec": {"replicas": 4}}"""));
        Assert.Equal(4, (int?)scaled["spec"]!["replicas"]);
        Assert.DoesNotContain("f:replicas", Entry(await Api.GetAsync(Path), "one"), StringComparison.Ordinal);

        var conflict = await ConflictAsync(HttpMethod.Patch, $"{Path}?fieldManager=one", Deployment(replicas: 2), Apply);
        Assert.Contains("\"scaler\" with subresource \"scale\"", (string?)conflict["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_is_owned_through_its_subresource_and_spec_through_the_object()
    {
        await Api.ApplyAsync(Path, Deployment(), "user");
        var status = Deployment();
        status["spec"]!["replicas"] = 9;
        status["status"] = new JsonObject { ["replicas"] = 1 };
        var applied = await Api.ApplyAsync($"{Path}/status", status, "controller");
        Assert.Equal((1, 1), ((int?)applied["spec"]!["replicas"], (int?)applied["status"]!["replicas"]));
        Assert.Equal(["controller Apply status", "user Apply "], Managers(applied));
    }

    [Fact]
    public async Task A_version_that_is_not_the_present_one_conflicts_and_another_uid_is_invalid()
    {
        var created = await Api.ApplyAsync(Path, Deployment(), "one");
        await Api.ApplyAsync(Path, Deployment(replicas: 2), "one");
        var stale = Deployment(replicas: 3);
        stale["metadata"]!["resourceVersion"] = Version(created);
        await ConflictAsync(HttpMethod.Patch, $"{Path}?fieldManager=one", stale, Apply);
        var other = Deployment(replicas: 3);
        other["metadata"]!["uid"] = "00000000-0000-0000-0000-000000000000";

        // A uid is a precondition where it stands in options or in a replacement; a patch would change it.
        var refused = await RefusedAsync(
            HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Patch, $"{Path}?fieldManager=one", other, Apply);
        Assert.Contains("metadata.uid", (string?)refused["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_manager_must_be_named_and_force_is_for_apply_alone()
    {
        await RefusedAsync(HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Patch, Path, Deployment(), Apply);
        await Api.ApplyAsync(Path, Deployment(), "one");
        await RefusedAsync(
            HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Patch, $"{Path}?force=true", Fixtures.Json("{}"),
            "application/merge-patch+json");
        await RefusedAsync(
            HttpStatusCode.UnsupportedMediaType, "UnsupportedMediaType", HttpMethod.Patch, Path, Fixtures.Json("{}"),
            "application/strategic-merge-patch+json");
    }

    private static string[] Managers(JsonObject value) =>
        [.. value["metadata"]!["managedFields"]!.AsArray().Select(e => $"{e!["manager"]} {e["operation"]} {e["subresource"]}")
            .Order(StringComparer.Ordinal)];

    private static string Entry(JsonObject value, string manager) =>
        value["metadata"]!["managedFields"]!.AsArray().Single(e => (string?)e!["manager"] == manager)!.ToJsonString();
}
