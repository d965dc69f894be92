using System.Net;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary><c>x-kubernetes-validations</c> over HTTP: what a CRD may say, and what its objects then may be and become.</summary>
public sealed class CelRuleTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private const string Definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    private static int _lastGroup;

    private ApiClient Client => fixture.Client;

    [Theory]
    [InlineData(
        """{"rule": "self.size > 3", "message": "too small"}""", """{"size": 3}""", "spec", """Invalid value: "object": too small""")]
    [InlineData("""{"rule": "self.size > 3"}""", """{"size": 3}""", "spec", """Invalid value: "object": failed rule: self.size > 3""")]
    [InlineData(
        """{"rule": "self.size > 3", "message": "x", "messageExpression": "'size is ' + string(self.size)"}""", """{"size": 3}""", "spec",
        """Invalid value: "object": size is 3""")]
    [InlineData(
        """{"rule": "self.size > 3", "message": "fallback", "messageExpression": "self.name + '!'"}""", """{"size": 3}""", "spec",
        """Invalid value: "object": fallback""")]
    [InlineData(
        """{"rule": "self.size > 3", "message": "fallback", "messageExpression": "'two\\nlines'"}""", """{"size": 3}""", "spec",
        """Invalid value: "object": fallback""")]
    [InlineData(
        """{"rule": "self.size > 3", "message": "no", "reason": "FieldValueForbidden"}""", """{"size": 3}""", "spec", "Forbidden: no")]
    [InlineData(
        """{"rule": "self.size > 3", "message": "no", "reason": "FieldValueRequired", "fieldPath": ".name"}""", """{"size": 3}""",
        "spec.name", "Required value: no")]
    [InlineData(
        """{"rule": "self.size > 3", "message": "no", "reason": "FieldValueDuplicate"}""", """{"size": 3}""", "spec",
        """Duplicate value: "object" """)]
    [InlineData(
        """{"rule": "self.size > 3", "message": "no", "fieldPath": ".labels['a/b']"}""", """{"size": 3}""", "spec.labels[a/b]",
        """Invalid value: "object": no""")]
    [InlineData(
        """{"rule": "self.name == 'x'", "message": "wants a name"}""", """{"size": 3}""", "spec",
        """Invalid value: "object": no such key: name evaluating rule: wants a name""")]
    [InlineData(
        """{"rule": "self.limit + 1 > 0", "message": "a number"}""", """{"limit": "x"}""", "spec",
        """Invalid value: "object": 'no such overload': call arguments did not match a supported operator, function or macro signature for rule: a number""")]
    [InlineData(
        """{"rule": "self.words.all(a, self.words.all(b, self.words.all(c, self.words.all(d, a + b + c + d != 'x'))))", "message": "slow"}""", """{"words": ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17","18","19","20","21","22","23","24","25","26","27","28","29","30"]}""", "spec", """Invalid value: "object": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: slow""")]
    public async Task A_broken_rule_is_reported_as_the_real_server_does(string rule, string spec, string field, string message)
    {
        var things = await DefineAsync(definition => Spec(definition)["x-kubernetes-validations"] = new JsonArray(Fixtures.Json(rule)));
        Assert.Equal([(field, message.Trim())], await RefusedAsync(HttpMethod.Post, things, Thing(spec)));
    }

    [Fact]
    public async Task Rules_hold_at_every_level_of_an_object()
    {
        var things = await DefineAsync(definition =>
        {
            definition["x-kubernetes-validations"] = Rules("self.metadata.name.startsWith('t') && self.kind == 'Thing'", "name");
            Spec(definition)["properties"]!["labels"]!["additionalProperties"]!["x-kubernetes-validations"] = Rules(
                "size(self) < 3", "label");
            Spec(definition)["properties"]!["parts"]!["items"]!["properties"]!["size"]!["x-kubernetes-validations"] = Rules(
                "self % 2 == 0", "even");
        });
        await Client.CreateAsync(things, Thing("""{"labels": {"a": "ab"}, "parts": [{"name": "p", "size": 2}]}"""));
        var wrong = Thing("""{"labels": {"a": "abc"}, "parts": [{"name": "p", "size": 2}, {"name": "q", "size": 3}]}""");
        wrong["metadata"]!["name"] = "x";
        Assert.Equal(
            [("<nil>", """Invalid value: "object": name"""), ("spec.labels[a]", """Invalid value: "string": label"""),
                ("spec.parts[1].size", """Invalid value: "integer": even""")],
            (await RefusedAsync(HttpMethod.Post, things, wrong)).Order());
    }

    [Fact]
    public async Task A_rule_about_the_change_looks_at_updates_only_and_finds_items_by_their_keys()
    {
        var things = await DefineAsync(definition =>
        {
            Spec(definition)["properties"]!["name"]!["x-kubernetes-validations"] = Rules("self == oldSelf", "is immutable");
            Spec(definition)["properties"]!["parts"]!["items"]!["properties"]!["size"]!["x-kubernetes-validations"] = Rules(
                "self >= oldSelf", "cannot shrink");
            Spec(definition)["properties"]!["labels"]!["additionalProperties"]!["x-kubernetes-validations"] = Rules(
                "self == oldSelf", "is fixed");
        });
        await Client.CreateAsync(
            things, Thing("""{"name": "a", "parts": [{"name": "p", "size": 1}, {"name": "q", "size": 5}], "labels": {"k": "v"}}"""));
        await Client.MergeAsync(
            $"{things}/thing",
            Fixtures.Json(
                """{"spec": {"size": 9, "parts": [{"name": "q", "size": 6}, {"name": "p", "size": 2}, {"name": "new", "size": 0}], "labels": {"more": "w"}}}"""));
        Assert.Equal(
            [("spec.labels[k]", """Invalid value: "string": is fixed"""), ("spec.name", """Invalid value: "string": is immutable"""),
                ("spec.parts[1].size", """Invalid value: "integer": cannot shrink""")],
            (await RefusedAsync(
                HttpMethod.Patch, $"{things}/thing",
                Fixtures.Json(
                    """{"spec": {"name": "b", "parts": [{"name": "p", "size": 2}, {"name": "q", "size": 1}], "labels": {"k": "x"}}}""")))
                    .Order());

        // Taken away and put back, a field has nothing to be compared with.
        await Client.MergeAsync($"{things}/thing", Fixtures.Json("""{"spec": {"name": null}}"""));
        await Client.MergeAsync($"{things}/thing", Fixtures.Json("""{"spec": {"name": "b"}}"""));
    }

    [Fact]
    public async Task With_optionalOldSelf_a_rule_sees_creations_too()
    {
        var things = await DefineAsync(definition => Spec(definition)["properties"]!["size"]!["x-kubernetes-validations"] =
            new JsonArray(
                Fixtures.Json(
                    """{"rule": "oldSelf.hasValue() ? self >= oldSelf.value() : self == 0", "message": "counts up from 0", "optionalOldSelf": true}""")));
        Assert.Equal(
            [("spec.size", """Invalid value: "integer": counts up from 0""")],
            await RefusedAsync(HttpMethod.Post, things, Thing("""{"size": 4}""")));
        await Client.CreateAsync(things, Thing("""{"size": 0}"""));
        await Client.MergeAsync($"{things}/thing", Fixtures.Json("""{"spec": {"size": 4}}"""));
        await RefusedAsync(HttpMethod.Patch, $"{things}/thing", Fixtures.Json("""{"spec": {"size": 3}}"""));
    }

    [Fact]
    public async Task What_an_update_leaves_alone_may_go_on_breaking_a_newer_rule()
    {
        var (group, things) = await DefineGroupAsync(_ => { });
        await Client.CreateAsync(things, Thing("""{"size": 2, "name": "a"}"""));
        await Client.PatchAsync(
            $"{Definitions}/things.{group}",
            Fixtures.Json(
                """[{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/x-kubernetes-validations", "value": [{"rule": "self > 5", "message": "too small"}]}]"""), "application/json-patch+json");
        using var unrelated = await Client.SendAsync(
            HttpMethod.Patch, $"{things}/thing", Fixtures.Json("""{"spec": {"name": "b"}}"""), "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.OK, unrelated.StatusCode);
        Assert.Contains("spec.size: Invalid value: \\\"integer\\\": too small", Assert.Single(unrelated.Headers.GetValues("Warning")));
        await RefusedAsync(HttpMethod.Patch, $"{things}/thing", Fixtures.Json("""{"spec": {"size": 3}}"""));
        await Client.MergeAsync($"{things}/thing", Fixtures.Json("""{"spec": {"size": 6}}"""));
    }

    [Fact]
    public async Task Of_an_object_of_the_wrong_shape_no_rule_is_run()
    {
        var things = await DefineAsync(definition => Spec(definition)["x-kubernetes-validations"] = Rules("self.size > 3", "too small"));
        var errors = await RefusedAsync(HttpMethod.Post, things, Thing("""{"size": "x"}"""));
        Assert.Equal(["spec.size", "<nil>"], errors.Select(e => e.Field));
        Assert.Contains("some validation rules were not checked because the object was invalid", errors[1].Message);
    }

    [Fact]
    public async Task Rules_guard_the_scale_subresource_and_server_side_apply_too()
    {
        var things = await DefineAsync(definition => Spec(definition)["x-kubernetes-validations"] = Rules("self.size % 2 == 0", "even"));
        await Client.CreateAsync(things, Thing("""{"size": 2}"""));
        Assert.Equal(
            [("spec", """Invalid value: "object": even""")],
            await RefusedAsync(HttpMethod.Patch, $"{things}/thing/scale", Fixtures.Json("""{"spec": {"replicas": 3}}""")));
        var applied = Thing("""{"size": 5}""");
        Assert.Equal(
            [("spec", """Invalid value: "object": even""")],
            await RefusedAsync(HttpMethod.Patch, $"{things}/thing?fieldManager=me&force=true", applied, "application/apply-patch+yaml"));
    }

    [Theory]
    [InlineData(
        """{"rule": "self.missing == 1"}""", "[0].rule",
        "compilation failed: ERROR: <input>:1:5: undefined field 'missing'\n | self.missing == 1\n | ....^")]
    [InlineData("""{"rule": "self.size"}""", "[0].rule", "must evaluate to a bool")]
    [InlineData("""{"rule": "self.size >"}""", "[0].rule", "Syntax error: unexpected '<EOF>'")]
    [InlineData(
        """{"rule": "self.size == oldSelf.name"}""", "[0].rule", "found no matching overload for '_==_' applied to '(int, string)'")]
    [InlineData("""{"rule": "oldSelf.hasValue()"}""", "[0].rule", "found no matching overload for 'hasValue'")]
    [InlineData("""{"rule": ""}""", "[0]", "Required value: rule is not specified")]
    [InlineData("""{"rule": "true", "message": " "}""", "[0].message", "message must be non-empty if specified")]
    [InlineData("""{"rule": "true", "message": "a\nb"}""", "[0].message", "message must not contain line breaks")]
    [InlineData("""{"rule": "true\n&& true"}""", "[0].message", "message must be specified if rule contains line breaks")]
    [InlineData("""{"rule": "true", "messageExpression": "1"}""", "[0].messageExpression", "must evaluate to a string")]
    [InlineData("""{"rule": "true", "messageExpression": " "}""", "[0].messageExpression", "must be non-empty if specified")]
    [InlineData(
        """{"rule": "true", "reason": "Because"}""", "[0].reason",
        "supported values: \"FieldValueInvalid\", \"FieldValueForbidden\", \"FieldValueRequired\", \"FieldValueDuplicate\"")]
    [InlineData("""{"rule": "true", "fieldPath": ".nope"}""", "[0].fieldPath", "does not refer to a valid field: 'nope'")]
    [InlineData(
        """{"rule": "true", "fieldPath": "name"}""", "[0].fieldPath", "expected a path such as .spec.field or ['field'], got 'name'")]
    public async Task A_definition_with_a_rule_that_cannot_work_is_refused(string rule, string place, string message)
    {
        var definition = Definition(
            "refused.test", schema => Spec(schema)["x-kubernetes-validations"] = new JsonArray(Fixtures.Json(rule)));
        var (field, text) = Assert.Single(await RefusedAsync(HttpMethod.Post, Definitions, definition));
        Assert.Equal($"spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations{place}", field);
        Assert.Contains(message, text);
    }

    [Fact]
    public async Task OldSelf_needs_items_that_can_be_told_apart_and_junctors_have_no_rules()
    {
        var atomic = Definition(
            "atomic.test",
            schema => Spec(schema)["properties"]!["words"]!["items"]!["x-kubernetes-validations"] = Rules("self == oldSelf", "fixed"));
        var (field, message) = Assert.Single(await RefusedAsync(HttpMethod.Post, Definitions, atomic));
        Assert.EndsWith("properties[words].items.x-kubernetes-validations[0].rule", field);
        Assert.EndsWith(
            "oldSelf cannot be used on the uncorrelatable portion of the schema within "
            + "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[words]", message);
        var junctor = Definition(
            "junctor.test",
            schema => Spec(schema)["anyOf"] = new JsonArray(new JsonObject { ["x-kubernetes-validations"] = Rules("true", "x") }));
        Assert.Equal(
            "Forbidden: must be empty to be structural", Assert.Single(await RefusedAsync(HttpMethod.Post, Definitions, junctor)).Message);
    }

    private static JsonArray Rules(string rule, string message) => new(new JsonObject { ["rule"] = rule, ["message"] = message });

    private static JsonObject Spec(JsonNode schema) => (JsonObject)schema["properties"]!["spec"]!;

    private static JsonObject Thing(string spec) =>
        (JsonObject)Fixtures.Json($$$"""{"kind": "Thing", "metadata": {"name": "thing"}, "spec": {{{spec}}}}""");

    private static JsonObject Definition(string group, Action<JsonObject> change)
    {
        var definition = Fixtures.WidgetDefinition(group, "things", "Thing");
        var version = (JsonObject)definition["spec"]!["versions"]![0]!;
        version["subresources"] = Fixtures.Json("""{"scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}}""");
        version["schema"]!["openAPIV3Schema"] = Fixtures.Json("""
            {"type": "object", "properties": {"spec": {"type": "object", "properties": {
              "size": {"type": "integer"}, "name": {"type": "string"}, "limit": {"x-kubernetes-int-or-string": true},
              "words": {"type": "array", "items": {"type": "string"}},
              "labels": {"type": "object", "additionalProperties": {"type": "string"}},
              "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}}
            }}}}
            """);
        change((JsonObject)version["schema"]!["openAPIV3Schema"]!);
        return definition;
    }

    private async Task<string> DefineAsync(Action<JsonObject> change) => (await DefineGroupAsync(change)).Things;

    private async Task<(string Group, string Things)> DefineGroupAsync(Action<JsonObject> change)
    {
        var group = $"cel{Interlocked.Increment(ref _lastGroup)}.test";
        await Client.CreateAsync(Definitions, Definition(group, change));
        return (group, $"/apis/{group}/v1/namespaces/{await fixture.NewNamespaceAsync()}/things");
    }

    private async Task<List<(string Field, string Message)>> RefusedAsync(
        HttpMethod method, string path, JsonNode body, string? contentType = null)
    {
        var status = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, method, path, body,
            contentType ?? (method == HttpMethod.Patch ? "application/merge-patch+json" : "application/json"));
        return [.. ((JsonArray)status["details"]!["causes"]!).Select(cause => ((string)cause!["field"]!, (string)cause["message"]!))];
    }
}
