using System.Net;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Server-side apply, on custom resources (schema marks) and pods (the built-in table).</summary>
public sealed class ApplyTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    private async Task<string> PathAsync() => $"{Fixtures.WidgetsIn(await fixture.NewNamespaceAsync())}/w";

    private static JsonNode? Entry(JsonObject value, string manager, string operation = "Apply") =>
        ((JsonArray)value["metadata"]!["managedFields"]!)
            .FirstOrDefault(e => (string?)e!["manager"] == manager && (string?)e["operation"] == operation);

    private static JsonObject Part(string name, string fields) =>
        Fixtures.Widget("w", $$$"""{"source": "hf://a", "parts": [{"name": "{{{name}}}"{{{fields}}}}]}""");

    [Fact]
    public async Task Apply_creates_and_records_ownership()
    {
        var path = await PathAsync();
        var created = await Client.ExpectAsync(
            HttpStatusCode.Created, HttpMethod.Patch, $"{path}?fieldManager=m",
            Fixtures.Widget("w", """{"source": "hf://a", "replicas": 2}"""), "application/apply-patch+yaml");
        var entry = Entry(created, "m")!;
        Assert.Equal("""{"f:spec":{"f:replicas":{},"f:source":{}}}""", entry["fieldsV1"]!.ToJsonString());
        Assert.Equal("example.test/v1", (string?)entry["apiVersion"]);
        Assert.Equal("FieldsV1", (string?)entry["fieldsType"]);
        var again = await Client.ApplyAsync(path, Fixtures.Widget("w", """{"source": "hf://a", "replicas": 2}"""), "m");
        Assert.Equal((string?)created["metadata"]!["resourceVersion"], (string?)again["metadata"]!["resourceVersion"]);
    }

    [Fact]
    public async Task A_field_no_longer_applied_goes_back_to_its_default_or_away()
    {
        var path = await PathAsync();
        await Client.ApplyAsync(
            path, Fixtures.Widget("w", """{"source": "hf://a", "replicas": 2, "optional": "o", "labels": {"a": "b"}}"""), "m");
        var after = await Client.ApplyAsync(path, Fixtures.Widget("w"), "m");
        Assert.Equal(1, (int?)after["spec"]!["replicas"]);
        Assert.Null(after["spec"]!["optional"]);
        Assert.Null(after["spec"]!["labels"]);
    }

    [Fact]
    public async Task A_conflict_names_field_and_manager_and_force_moves_ownership()
    {
        var path = await PathAsync();
        await Client.ApplyAsync(path, Fixtures.Widget("w", """{"source": "hf://a", "replicas": 2}"""), "one");
        var conflict = await Client.ExpectAsync(
            HttpStatusCode.Conflict, HttpMethod.Patch, $"{path}?fieldManager=two",
            Fixtures.Widget("w", """{"source": "hf://a", "replicas": 3}"""), "application/apply-patch+yaml");
        Assert.Equal("Apply failed with 1 conflict: conflict with \"one\": .spec.replicas", (string?)conflict["message"]);
        var cause = conflict["details"]!["causes"]![0]!;
        Assert.Equal(
            ("FieldManagerConflict", ".spec.replicas", "conflict with \"one\""),
            ((string?)cause["reason"], (string?)cause["field"], (string?)cause["message"]));

        var forced = await Client.ApplyAsync(path, Fixtures.Widget("w", """{"source": "hf://a", "replicas": 3}"""), "two", force: true);
        Assert.Equal("""{"f:spec":{"f:source":{}}}""", Entry(forced, "one")!["fieldsV1"]!.ToJsonString());
        Assert.Equal("""{"f:spec":{"f:replicas":{},"f:source":{}}}""", Entry(forced, "two")!["fieldsV1"]!.ToJsonString());
    }

    [Fact]
    public async Task Equal_values_are_owned_together_and_leave_with_the_last_owner()
    {
        var path = await PathAsync();
        var both = Fixtures.Widget("w", """{"source": "hf://a", "optional": "o"}""");
        await Client.ApplyAsync(path, both.DeepClone(), "one");
        await Client.ApplyAsync(path, both.DeepClone(), "two");
        var kept = await Client.ApplyAsync(path, Fixtures.Widget("w"), "one");
        Assert.Equal("o", (string?)kept["spec"]!["optional"]);
        Assert.Null((await Client.ApplyAsync(path, Fixtures.Widget("w"), "two"))["spec"]!["optional"]);
    }

    [Fact]
    public async Task List_map_items_belong_to_whoever_applies_them()
    {
        var path = await PathAsync();
        await Client.ApplyAsync(path, Part("a", """, "color": "red" """), "one");
        var merged = await Client.ApplyAsync(path, Part("b", ""), "two");
        Assert.Equal(["a", "b"], ((JsonArray)merged["spec"]!["parts"]!).Select(p => (string?)p!["name"]));
        Assert.Contains(
            """f:parts":{"k:{\"name\":\"b\"}":{".":{},"f:name":{}}}""",
            Entry(merged, "two")!["fieldsV1"]!.ToJsonString(
                new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
        var without = await Client.ApplyAsync(path, Fixtures.Widget("w"), "one");
        Assert.Equal(["b"], ((JsonArray)without["spec"]!["parts"]!).Select(p => (string?)p!["name"]));
    }

    [Fact]
    public async Task An_item_stays_while_another_manager_owns_a_field_of_it()
    {
        var path = await PathAsync();
        await Client.ApplyAsync(path, Part("a", """, "size": 9"""), "one");
        await Client.ApplyAsync(path, Part("a", """, "color": "red" """), "two");
        var item = (await Client.ApplyAsync(path, Fixtures.Widget("w"), "one"))["spec"]!["parts"]![0]!;
        Assert.Equal(("a", 5, "red"), ((string?)item["name"], (int?)item["size"], (string?)item["color"]));
    }

    [Fact]
    public async Task Sets_merge_by_value_and_atomic_lists_as_a_whole()
    {
        var path = await PathAsync();
        await Client.ApplyAsync(path, Fixtures.Widget("w", """{"source": "hf://a", "tags": ["x"]}"""), "one");
        var merged = await Client.ApplyAsync(path, Fixtures.Widget("w", """{"source": "hf://a", "tags": ["y"], "list": ["p"]}"""), "two");
        Assert.Equal("""["x","y"]""", merged["spec"]!["tags"]!.ToJsonString());
        await Client.ExpectAsync(
            HttpStatusCode.Conflict, HttpMethod.Patch, $"{path}?fieldManager=one",
            Fixtures.Widget("w", """{"source": "hf://a", "tags": ["x"], "list": ["q"]}"""), "application/apply-patch+yaml");
    }

    [Fact]
    public async Task Updates_own_what_they_change_and_conflict_with_later_applies()
    {
        var path = await PathAsync();
        await Client.ApplyAsync(path, Fixtures.Widget("w", """{"source": "hf://a", "replicas": 2}"""), "one");
        var updated = await Client.MergeAsync($"{path}?fieldManager=hand", Fixtures.Json("""{"spec": {"replicas": 4}}"""));
        Assert.Equal("""{"f:spec":{"f:replicas":{}}}""", Entry(updated, "hand", "Update")!["fieldsV1"]!.ToJsonString());
        Assert.DoesNotContain("replicas", Entry(updated, "one")!.ToJsonString());
        var conflict = await Client.ExpectAsync(
            HttpStatusCode.Conflict, HttpMethod.Patch, $"{path}?fieldManager=one",
            Fixtures.Widget("w", """{"source": "hf://a", "replicas": 2}"""), "application/apply-patch+yaml");
        Assert.Equal(
            "Apply failed with 1 conflict: conflict with \"hand\" using example.test/v1: .spec.replicas", (string?)conflict["message"]);
    }

    [Fact]
    public async Task The_manager_of_a_plain_write_is_the_user_agent()
    {
        var space = await fixture.NewNamespaceAsync();
        var created = await Client.CreateAsync(Fixtures.WidgetsIn(space), Fixtures.Widget("w"));
        Assert.NotNull(Entry(created, "tester", "Update"));
    }

    [Fact]
    public async Task Status_is_applied_through_its_subresource_only()
    {
        var path = await PathAsync();
        await Client.ApplyAsync(path, Fixtures.Widget("w"), "one");
        var status = Fixtures.Json(
            """{"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"source": "zz://"}, "status": {"replicas": 1, "conditions": [{"type": "Ready", "status": "True"}]}}""");
        var applied = await Client.ApplyAsync($"{path}/status", status.DeepClone(), "controller");
        Assert.Equal("hf://a", (string?)applied["spec"]!["source"]);
        Assert.Equal(1, (int?)applied["status"]!["replicas"]);
        Assert.Equal("status", (string?)Entry(applied, "controller")!["subresource"]);
        var ignored = await Client.ApplyAsync(
            path,
            Fixtures.Json(
                """{"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"source": "hf://a"}, "status": {"replicas": 7}}"""), "one");
        Assert.Equal(1, (int?)ignored["status"]!["replicas"]);
    }

    [Fact]
    public async Task Pods_merge_containers_env_and_ports_by_key()
    {
        var path = $"{Fixtures.PodsIn(await fixture.NewNamespaceAsync())}/p";
        var pod = Fixtures.Pod("p");
        await Client.ApplyAsync(path, pod.DeepClone(), "one");
        var two = Fixtures.Json(
            """{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"x": "y"}}, "spec": {"containers": [{"name": "worker", "image": "local/worker:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}""");
        var merged = await Client.ApplyAsync(path, two, "two");
        Assert.Single((JsonArray)merged["spec"]!["containers"]![0]!["ports"]!);
        Assert.Equal(2, ((JsonArray)merged["spec"]!["containers"]![0]!["env"]!).Count);
        Assert.Contains("protocol", Entry(merged, "one")!.ToJsonString());
    }

    [Fact]
    public async Task A_manager_is_required_and_duplicate_keys_are_refused()
    {
        var path = await PathAsync();
        var missing = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, path, Fixtures.Widget("w"), "application/apply-patch+yaml");
        Assert.Contains("is required for apply patch", (string?)missing["message"]);
        await Client.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Patch, $"{path}?fieldManager=m",
            Fixtures.Widget("w", """{"source": "hf://a", "parts": [{"name": "a"}, {"name": "a"}]}"""), "application/apply-patch+yaml");
    }
}
