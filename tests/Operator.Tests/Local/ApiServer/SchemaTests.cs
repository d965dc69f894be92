using System.Net;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Custom resources against their schema: error wording, defaults, pruning, field validation, generation.</summary>
public sealed class SchemaTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    [Theory]
    [InlineData(
        """{"source": "hf://a", "replicas": "two"}""", "spec.replicas", "FieldValueTypeInvalid",
        """Invalid value: "string": spec.replicas in body must be of type integer: "string" """)]
    [InlineData(
        """{"source": "hf://a", "replicas": 10}""", "spec.replicas", "FieldValueInvalid",
        "Invalid value: 10: spec.replicas in body should be less than or equal to 9")]
    [InlineData(
        """{"source": "hf://a", "replicas": -1}""", "spec.replicas", "FieldValueInvalid",
        "Invalid value: -1: spec.replicas in body should be greater than or equal to 0")]
    [InlineData(
        """{"source": "hf://a", "replicas": 1.5}""", "spec.replicas", "FieldValueTypeInvalid",
        """Invalid value: "number": spec.replicas in body must be of type integer: "number" """)]
    [InlineData(
        """{"source": "hf://a", "ratio": 0}""", "spec.ratio", "FieldValueInvalid",
        "Invalid value: 0: spec.ratio in body should be greater than 0")]
    [InlineData(
        """{"source": "hf://a", "mode": "Mid"}""", "spec.mode", "FieldValueNotSupported",
        """Unsupported value: "Mid": supported values: "Fast", "Slow" """)]
    [InlineData(
        """{"source": "nope"}""", "spec.source", "FieldValueInvalid",
        """Invalid value: "nope": spec.source in body should match '^[a-z]+://'""")]
    [InlineData(
        """{"source": ""}""", "spec.source", "FieldValueInvalid",
        """Invalid value: "": spec.source in body should be at least 1 chars long""")]
    [InlineData("""{}""", "spec.source", "FieldValueRequired", "Required value")]
    [InlineData(
        """{"source": "hf://a", "limit": true}""", "spec.limit", "FieldValueTypeInvalid",
        """Invalid value: "boolean": spec.limit in body must be of type integer,string: "boolean" """)]
    [InlineData(
        """{"source": null}""", "spec.source", "FieldValueRequired", "Required value")]
    [InlineData(
        """{"source": "hf://a", "tags": ["a", "b", "c", "d"]}""", "spec.tags", "FieldValueTooMany",
        "Too many: 4: must have at most 3 items")]
    [InlineData("""{"source": "hf://a", "tags": ["a", "a"]}""", "spec.tags[1]", "FieldValueDuplicate", """Duplicate value: "a" """)]
    [InlineData(
        """{"source": "hf://a", "parts": [{"name": "a"}, {"name": "a"}]}""", "spec.parts[1]", "FieldValueDuplicate",
        """Duplicate value: map[string]interface {}{"name":"a"}""")]
    [InlineData(
        """{"source": "hf://a", "list": "x"}""", "spec.list", "FieldValueTypeInvalid",
        """Invalid value: "string": spec.list in body must be of type array: "string" """)]
    [InlineData(
        """{"source": "hf://a", "labels": {"k": 1}}""", "spec.labels.k", "FieldValueTypeInvalid",
        """Invalid value: "integer": spec.labels.k in body must be of type string: "integer" """)]
    public async Task An_invalid_field_is_named_with_its_cause(string spec, string field, string reason, string message)
    {
        var space = await fixture.NewNamespaceAsync();
        var status = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, Fixtures.WidgetsIn(space), Fixtures.Widget("w", spec));
        var causes = (JsonArray)status["details"]!["causes"]!;
        Assert.Contains(
            causes, c => (string?)c!["field"] == field && (string?)c["reason"] == reason && (string?)c["message"] == message.Trim());
        Assert.StartsWith("Widget.example.test \"w\" is invalid: ", (string?)status["message"]);
        Assert.Equal("Invalid", (string?)status["reason"]);
        Assert.Equal(
            ("w", "example.test", "Widget"),
            ((string?)status["details"]!["name"], (string?)status["details"]!["group"], (string?)status["details"]!["kind"]));
    }

    [Fact]
    public async Task Several_errors_are_reported_together()
    {
        var space = await fixture.NewNamespaceAsync();
        var status = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, Fixtures.WidgetsIn(space),
            Fixtures.Widget("w", """{"mode": "x", "replicas": 77}"""));
        Assert.Equal(3, ((JsonArray)status["details"]!["causes"]!).Count);
        Assert.Contains("is invalid: [", (string?)status["message"]);
    }

    [Theory]
    [InlineData("""{"source": "hf://a", "limit": 1}""")]
    [InlineData("""{"source": "hf://a", "limit": "50%"}""")]
    [InlineData("""{"source": "hf://a", "optional": null}""")]
    [InlineData("""{"source": "hf://a", "ratio": 1}""")]
    [InlineData("""{"source": "hf://a", "free": {"any": [1, {"thing": true}]}}""")]
    public async Task A_valid_object_is_stored_as_it_is(string spec)
    {
        var space = await fixture.NewNamespaceAsync();
        var created = await Client.CreateAsync(Fixtures.WidgetsIn(space), Fixtures.Widget("w", spec));
        foreach (var (name, value) in (JsonObject)JsonNode.Parse(spec)!)
        {
            Assert.True(JsonNode.DeepEquals(value, created["spec"]![name]));
        }
    }

    [Fact]
    public async Task Defaults_fill_in_and_unknown_fields_are_pruned_with_a_warning()
    {
        var space = await fixture.NewNamespaceAsync();
        using var response = await Client.SendAsync(
            HttpMethod.Post, Fixtures.WidgetsIn(space),
            Fixtures.Widget(
                "w", """{"source": "hf://a", "foo": 1, "replicas": null, "parts": [{"name": "p", "bar": 2}], "free": {"kept": 1}}"""));
        var created = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(
            (1, "Fast", 5),
            ((int?)created["spec"]!["replicas"], (string?)created["spec"]!["mode"], (int?)created["spec"]!["parts"]![0]!["size"]));
        Assert.Null(created["spec"]!["foo"]);
        Assert.Null(created["spec"]!["parts"]![0]!["bar"]);
        Assert.Equal(1, (int?)created["spec"]!["free"]!["kept"]);
        Assert.Equal(
            ["299 - \"unknown field \\\"spec.foo\\\"\"", "299 - \"unknown field \\\"spec.parts[0].bar\\\"\""],
            response.Headers.GetValues("Warning"));
    }

    [Fact]
    public async Task Strict_validation_refuses_unknown_and_duplicate_fields()
    {
        var space = await fixture.NewNamespaceAsync();
        var refused = await Client.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Post, $"{Fixtures.WidgetsIn(space)}?fieldValidation=Strict",
            Fixtures.Widget("w", """{"source": "hf://a", "foo": 1, "bar": 2}"""));
        Assert.Equal(
            "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.foo\", unknown field "
            + "\"spec.bar\"", (string?)refused["message"]);

        const string Twice =
            """{"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"source": "hf://a", "source": "hf://b"}}""";
        using var content = new StringContent(Twice, System.Text.Encoding.UTF8, "application/json");
        using var response = await Client.Http.PostAsync($"{Fixtures.WidgetsIn(space)}?fieldValidation=Strict", content);
        Assert.Contains("duplicate field \\\"spec.source\\\"", await response.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);

        using var ignored = await Client.SendAsync(
            HttpMethod.Post, $"{Fixtures.WidgetsIn(space)}?fieldValidation=Ignore",
            Fixtures.Widget("w", """{"source": "hf://a", "foo": 1}"""));
        Assert.Equal(HttpStatusCode.Created, ignored.StatusCode);
        Assert.False(ignored.Headers.Contains("Warning"));
    }

    [Fact]
    public async Task Generation_counts_spec_changes_only_and_status_is_apart()
    {
        var space = await fixture.NewNamespaceAsync();
        var path = $"{Fixtures.WidgetsIn(space)}/w";
        var body = Fixtures.Widget("w");
        body["status"] = new JsonObject { ["replicas"] = 5 };
        var created = await Client.CreateAsync(Fixtures.WidgetsIn(space), body);
        Assert.Null(created["status"]);
        Assert.Equal(1, (int?)created["metadata"]!["generation"]);

        var labelled = await Client.MergeAsync(path, Fixtures.Json("""{"metadata": {"labels": {"a": "b"}}, "status": {"replicas": 3}}"""));
        Assert.Equal(1, (int?)labelled["metadata"]!["generation"]);
        Assert.Null(labelled["status"]);
        var status = await Client.MergeAsync(
            $"{path}/status",
            Fixtures.Json("""{"status": {"replicas": 3}, "spec": {"replicas": 9}, "metadata": {"labels": {"x": "y"}}}"""));
        Assert.Equal(
            (3, 1, 1), ((int?)status["status"]!["replicas"], (int?)status["spec"]!["replicas"], (int?)status["metadata"]!["generation"]));
        Assert.Null(status["metadata"]!["labels"]!["x"]);
        var spec = await Client.MergeAsync(path, Fixtures.Json("""{"spec": {"replicas": 2}}"""));
        Assert.Equal((2, 3), ((int?)spec["metadata"]!["generation"], (int?)spec["status"]!["replicas"]));
    }

    [Fact]
    public async Task A_definition_is_established_and_checked()
    {
        var crd = await Client.GetAsync("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.test");
        Assert.All(
            ["Established", "NamesAccepted"],
            type => Assert.Contains(
                (JsonArray)crd["status"]!["conditions"]!, c => (string?)c!["type"] == type && (string?)c["status"] == "True"));
        var wrong = Fixtures.WidgetDefinition("bad.test");
        wrong["metadata"]!["name"] = "other.bad.test";
        wrong["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!["properties"]!["source"]!["pattern"] = "(";
        var refused = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", wrong);
        var fields = ((JsonArray)refused["details"]!["causes"]!).Select(c => (string)c!["field"]!).ToList();
        Assert.Contains("metadata.name", fields);
        Assert.Contains("spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[source].pattern", fields);
    }

    [Fact]
    public async Task A_changed_definition_takes_effect_at_once()
    {
        await Client.CreateAsync(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", Fixtures.WidgetDefinition("live.test", "lives", "Live"));
        await Client.PatchAsync(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/lives.live.test",
            Fixtures.Json(
                """[{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/fresh", "value": {"type": "string", "default": "yes"}}]"""), "application/json-patch+json");
        var space = await fixture.NewNamespaceAsync();
        var body = Fixtures.Widget("w");
        body["apiVersion"] = "live.test/v1";
        body["kind"] = "Live";
        Assert.Equal("yes", (string?)(await Client.CreateAsync($"/apis/live.test/v1/namespaces/{space}/lives", body))["spec"]!["fresh"]);
    }

    [Fact]
    public async Task Scale_reads_and_writes_through_the_definition_paths()
    {
        var space = await fixture.NewNamespaceAsync();
        var path = $"{Fixtures.WidgetsIn(space)}/w";
        await Client.CreateAsync(Fixtures.WidgetsIn(space), Fixtures.Widget("w"));
        await Client.MergeAsync($"{path}/status", Fixtures.Json("""{"status": {"replicas": 4, "selector": "app=w"}}"""));
        var scale = await Client.GetAsync($"{path}/scale");
        Assert.Equal(
            ("autoscaling/v1", 1, 4, "app=w"),
            ((string?)scale["apiVersion"], (int?)scale["spec"]!["replicas"], (int?)scale["status"]!["replicas"],
                (string?)scale["status"]!["selector"]));
        scale["spec"]!["replicas"] = 6;
        var written = await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Put, $"{path}/scale", scale.DeepClone());
        Assert.Equal(6, (int?)written["spec"]!["replicas"]);
        Assert.Equal(6, (int?)(await Client.GetAsync(path))["spec"]!["replicas"]);
        await Client.ExpectAsync(HttpStatusCode.Conflict, HttpMethod.Put, $"{path}/scale", scale);
        Assert.Equal(
            2, (int?)(await Client.MergeAsync($"{path}/scale", Fixtures.Json("""{"spec": {"replicas": 2}}""")))["spec"]!["replicas"]);
        await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, $"{path}/scale", Fixtures.Json("""{"spec": {"replicas": 99}}"""),
            "application/merge-patch+json");
        await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, $"{path}/scale", Fixtures.Json("""{"spec": {"replicas": -1}}"""),
            "application/merge-patch+json");
    }
}
