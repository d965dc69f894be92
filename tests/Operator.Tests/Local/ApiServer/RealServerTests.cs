using System.Net;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Where a kube-apiserver of 1.36 was seen to answer otherwise than this one once did.</summary>
public sealed class RealServerTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private const string Merge = "application/merge-patch+json";
    private const string Zero = "00000000-0000-0000-0000-000000000000";

    private ApiClient Client => fixture.Client;

    [Fact]
    public async Task Null_stands_for_an_absent_field_in_built_in_kinds()
    {
        var space = await fixture.NewNamespaceAsync();
        var pod = Fixtures.Pod("p");
        pod["metadata"]!["annotations"] = null;
        pod["metadata"]!["ownerReferences"] = null;
        pod["spec"]!["nodeSelector"] = null;
        pod["spec"]!["containers"]![0]!["resources"] = null;
        pod["status"] = null;
        var created = await Client.CreateAsync($"{Fixtures.PodsIn(space)}?fieldValidation=Strict", pod);
        Assert.False(created["metadata"]!.AsObject().ContainsKey("annotations"));
        Assert.False(created["spec"]!.AsObject().ContainsKey("nodeSelector"));
        Assert.Equal("{}", created["spec"]!["containers"]![0]!["resources"]!.ToJsonString());
        var map = await Client.CreateAsync(Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a", "{}", """{"a": null}"""));
        Assert.Equal("", (string?)map["data"]!["a"]);
    }

    [Fact]
    public async Task Null_is_dropped_from_custom_resources_unless_the_schema_allows_it()
    {
        var path = Fixtures.WidgetsIn(await fixture.NewNamespaceAsync());
        var created = await Client.CreateAsync(
            $"{path}?fieldValidation=Strict",
            Fixtures.Widget("w", """{"source": "hf://a", "tags": null, "replicas": null, "optional": null, "free": {"a": null}}"""));
        var spec = created["spec"]!.AsObject();
        Assert.Equal((false, 1, true, true), (
            spec.ContainsKey("tags"), (int)spec["replicas"]!, spec.ContainsKey("optional"), spec["free"]!.AsObject().ContainsKey("a")));
        var refused = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, path, Fixtures.Widget("x", """{"source": null}"""));
        Assert.Contains("spec.source: Required value", (string?)refused["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unknown_fields_of_metadata_and_status_are_refused_or_warned_of()
    {
        var space = await fixture.NewNamespaceAsync();
        var map = Fixtures.ConfigMap("a", """{"label": {"a": "b"}}""");
        await Refused(HttpMethod.Post, $"{Fixtures.ConfigMapsIn(space)}?fieldValidation=Strict", map, "metadata.label");
        using (var warned = await Client.SendAsync(HttpMethod.Post, Fixtures.ConfigMapsIn(space), map))
        {
            Assert.Equal("299 - \"unknown field \\\"metadata.label\\\"\"", Assert.Single(warned.Headers.GetValues("Warning")));
            Assert.DoesNotContain("\"label\"", await warned.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        var widget = Fixtures.Widget("w");
        widget["status"] = Fixtures.Json("""{"replica": 1}""");
        widget["metadata"]!["clusterName"] = "c";
        await Refused(
            HttpMethod.Post, $"{Fixtures.WidgetsIn(space)}?fieldValidation=Strict", widget, "metadata.clusterName", "status.replica");
        await Client.CreateAsync(Fixtures.PodsIn(space), Fixtures.Pod("p"));
        await Refused(
            HttpMethod.Patch, $"{Fixtures.PodsIn(space)}/p/status?fieldValidation=Strict",
            Fixtures.Json("""{"status": {"fase": "Running"}}"""), "status.fase");
    }

    [Fact]
    public async Task Keys_of_labels_and_annotations_are_checked_at_every_write()
    {
        var space = await fixture.NewNamespaceAsync();
        var roles = $"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}/roles";
        foreach (var (path, value) in new[]
        {
            (Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a")),
            (roles, (JsonObject)Fixtures.Json("""{"metadata": {"name": "system:a"}}""")),
        })
        {
            await Client.CreateAsync(path, value);
            var item = $"{path}/{value["metadata"]!["name"]}";
            foreach (var field in new[] { "labels", "annotations" })
            {
                var refused = await Client.ExpectAsync(
                    HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, item,
                    Fixtures.Json($$$"""{"metadata": {"{{{field}}}": {"bad key!": "x"} } }"""), Merge);
                Assert.Contains(
                    $"metadata.{field}: Invalid value: \"bad key!\": name part must consist of alphanumeric characters",
                    (string?)refused["message"], StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("""{"clusterIP": "10.96.200.1"}""", """["10.96.200.1"]""")]
    [InlineData("""{"clusterIP": "None"}""", """["None"]""")]
    [InlineData("""{"clusterIPs": ["10.96.200.1"], "clusterIP": "10.96.200.1"}""", """["10.96.200.1"]""")]
    public async Task The_address_of_a_service_does_not_change(string spec, string value)
    {
        var path = $"/api/v1/namespaces/{await fixture.NewNamespaceAsync()}/services";
        var created = await Client.CreateAsync(path, Fixtures.Json("""{"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}"""));
        var refused = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, $"{path}/s", Fixtures.Json($$$"""{"spec": {{{spec}}}}"""), Merge);
        Assert.Equal(
            $"Service \"s\" is invalid: spec.clusterIPs[0]: Invalid value: {value}: may not change once set", (string?)refused["message"]);
        var same = await Client.MergeAsync($"{path}/s", Fixtures.Json("""{"spec": {"clusterIP": ""}}"""));
        Assert.Equal((string?)created["spec"]!["clusterIP"], (string?)same["spec"]!["clusterIP"]);
    }

    [Fact]
    public async Task Containers_are_named_by_labels_of_dns()
    {
        var space = await fixture.NewNamespaceAsync();
        var pod = Fixtures.Pod("p");
        pod["spec"]!["containers"]![0]!["name"] = "Bad_Name";
        pod["spec"]!["initContainers"] = Fixtures.Json($$"""[{"name": "{{new string('a', 64)}}", "image": "a:1"}]""");
        var refused = await Client.ExpectAsync(HttpStatusCode.UnprocessableEntity, HttpMethod.Post, Fixtures.PodsIn(space), pod);
        Assert.Equal(
            [
                ("spec.containers[0].name", "Invalid value: \"Bad_Name\": a lowercase RFC 1123 label must consist of lower case "
                    + "alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or "
                    + "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"),
                ("spec.initContainers[0].name", $"Invalid value: \"{new string('a', 64)}\": must be no more than 63 bytes"),
            ],
            refused["details"]!["causes"]!.AsArray().Select(cause => ((string)cause!["field"]!, (string)cause["message"]!)));
    }

    [Fact]
    public async Task An_update_owns_the_objects_and_lists_it_brought_into_being()
    {
        var space = await fixture.NewNamespaceAsync();
        var pod = await Client.CreateAsync($"{Fixtures.PodsIn(space)}?fieldManager=m", Fixtures.Pod("p", """{"a": "b"}"""));
        var fields = pod["metadata"]!["managedFields"]![0]!["fieldsV1"]!;
        Assert.Equal("""{".":{},"f:a":{}}""", fields["f:metadata"]!["f:labels"]!.ToJsonString());
        Assert.Null(fields["f:spec"]!["."]);
        Assert.Null(fields["f:spec"]!["f:containers"]!["."]);
        var container = fields["f:spec"]!["f:containers"]!["k:{\"name\":\"worker\"}"]!;
        Assert.NotNull(container["."]);
        Assert.NotNull(container["f:ports"]!["."]);
        Assert.NotNull(container["f:env"]!["k:{\"name\":\"A\"}"]!["."]);

        var bare = await Client.MergeAsync(
            $"{Fixtures.PodsIn(space)}/p?fieldManager=m", Fixtures.Json("""{"metadata": {"labels": null}}"""));
        Assert.Null(bare["metadata"]!["managedFields"]![0]!["fieldsV1"]!["f:metadata"]);

        var widget = await Client.CreateAsync($"{Fixtures.WidgetsIn(space)}?fieldManager=m", Fixtures.Widget("w"));
        Assert.NotNull(widget["metadata"]!["managedFields"]![0]!["fieldsV1"]!["f:spec"]!["."]);
    }

    [Fact]
    public async Task A_uid_is_a_precondition_of_a_replacement_and_immutable_to_a_patch()
    {
        var path = $"{Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync())}/a";
        await Client.CreateAsync(path[..^2], Fixtures.ConfigMap("a"));
        var other = Fixtures.ConfigMap("a", $$$"""{"uid": "{{{Zero}}}"}""");
        var conflict = await Client.ExpectAsync(HttpStatusCode.Conflict, HttpMethod.Put, path, other);
        Assert.Contains($"Precondition failed: UID in precondition: {Zero}", (string?)conflict["message"], StringComparison.Ordinal);
        var invalid = await Client.ExpectAsync(HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, path, other, Merge);
        Assert.Contains(
            $"metadata.uid: Invalid value: \"{Zero}\": field is immutable", (string?)invalid["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Compaction_expires_also_collections_that_have_not_changed()
    {
        await using var server = await Operator.Local.ApiServer.LocalApiServer.StartAsync(
            new Operator.Local.ApiServer.LocalApiServerOptions(), CancellationToken.None);
        using var client = new ApiClient(server);
        var old = (string)(await client.GetAsync("/api/v1/namespaces/default/secrets"))["metadata"]!["resourceVersion"]!;
        await client.CreateAsync(Fixtures.ConfigMapsIn("default"), Fixtures.ConfigMap("a"));
        server.CompactHistory();
        var expired = await client.ExpectAsync(
            HttpStatusCode.Gone, HttpMethod.Get,
            $"/api/v1/namespaces/default/secrets?resourceVersion={old}&resourceVersionMatch=Exact");
        Assert.Equal("Expired", (string?)expired["reason"]);
    }

    private async Task Refused(HttpMethod method, string path, JsonNode body, params string[] fields)
    {
        var refused = await Client.ExpectAsync(
            method == HttpMethod.Patch ? HttpStatusCode.UnprocessableEntity : HttpStatusCode.BadRequest, method, path, body,
            method == HttpMethod.Patch ? Merge : "application/json");
        Assert.EndsWith(
            $"strict decoding error: {string.Join(", ", fields.Select(field => $"unknown field \"{field}\""))}",
            (string?)refused["message"], StringComparison.Ordinal);
    }
}
