using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Local.ApiServer.Patch;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Tests.Local.ApiServer;

public sealed class PatchTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    // RFC 7386, appendix A.
    [Theory]
    [InlineData("""{"a":"b"}""", """{"a":"c"}""", """{"a":"c"}""")]
    [InlineData("""{"a":"b"}""", """{"b":"c"}""", """{"a":"b","b":"c"}""")]
    [InlineData("""{"a":"b"}""", """{"a":null}""", """{}""")]
    [InlineData("""{"a":["b"]}""", """{"a":"c"}""", """{"a":"c"}""")]
    [InlineData("""{"a":"c"}""", """{"a":["b"]}""", """{"a":["b"]}""")]
    [InlineData("""{"a":{"b":"c"}}""", """{"a":{"b":"d","c":null}}""", """{"a":{"b":"d"}}""")]
    [InlineData("""{"a":[{"b":"c"}]}""", """{"a":[1]}""", """{"a":[1]}""")]
    [InlineData("""["a","b"]""", """["c","d"]""", """["c","d"]""")]
    [InlineData("""{"e":null}""", """{"a":1}""", """{"e":null,"a":1}""")]
    [InlineData("""[1,2]""", """{"a":"b","c":null}""", """{"a":"b"}""")]
    [InlineData("""{}""", """{"a":{"bb":{"ccc":null}}}""", """{"a":{"bb":{}}}""")]
    public void Merge_patch_follows_the_examples_of_its_rfc(string target, string patch, string expected) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), MergePatch.Apply(JsonNode.Parse(target), JsonNode.Parse(patch))));

    // RFC 6902, appendix A.
    [Theory]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/baz","value":"qux"}]""", """{"baz":"qux","foo":"bar"}""")]
    [InlineData("""{"foo":["bar","baz"]}""", """[{"op":"add","path":"/foo/1","value":"qux"}]""", """{"foo":["bar","qux","baz"]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"remove","path":"/baz"}]""", """{"foo":"bar"}""")]
    [InlineData("""{"foo":["bar","qux","baz"]}""", """[{"op":"remove","path":"/foo/1"}]""", """{"foo":["bar","baz"]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"replace","path":"/baz","value":"boo"}]""", """{"baz":"boo","foo":"bar"}""")]
    [InlineData(
        """{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}""", """[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]""",
        """{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}""")]
    [InlineData(
        """{"foo":["all","grass","cows","eat"]}""", """[{"op":"move","from":"/foo/1","path":"/foo/3"}]""",
        """{"foo":["all","cows","eat","grass"]}""")]
    [InlineData(
        """{"baz":"qux","foo":["a",2,"c"]}""", """[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]""",
        """{"baz":"qux","foo":["a",2,"c"]}""")]
    [InlineData("""{"foo":["bar"]}""", """[{"op":"add","path":"/foo/-","value":["abc","def"]}]""", """{"foo":["bar",["abc","def"]]}""")]
    [InlineData(
        """{"/":9,"~1":10}""", """[{"op":"test","path":"/~01","value":10},{"op":"copy","from":"/~1","path":"/m~1n"}]""",
        """{"/":9,"~1":10,"m/n":9}""")]
    public void Json_patch_follows_the_examples_of_its_rfc(string target, string patch, string expected) =>
        Assert.True(
            JsonNode.DeepEquals(JsonNode.Parse(expected), JsonPatch.Apply((JsonObject)JsonNode.Parse(target)!, JsonNode.Parse(patch))));

    [Theory]
    [InlineData("""[{"op":"test","path":"/baz","value":"bar"}]""")]
    [InlineData("""[{"op":"remove","path":"/none"}]""")]
    [InlineData("""[{"op":"replace","path":"/none","value":1}]""")]
    [InlineData("""[{"op":"add","path":"/none/deeper","value":1}]""")]
    [InlineData("""[{"op":"spin","path":"/baz"}]""")]
    [InlineData("""{"op":"remove"}""")]
    public void A_json_patch_that_does_not_apply_is_an_error(string patch) =>
        Assert.Throws<ApiException>(() => JsonPatch.Apply((JsonObject)JsonNode.Parse("""{"baz": "qux"}""")!, JsonNode.Parse(patch)));

    private static JsonNode Strategic(string patch)
    {
        var pod = (JsonObject)JsonNode.Parse("""
            {"metadata": {"finalizers": ["x", "y"]},
             "spec": {
              "containers": [{"name": "a", "image": "a:1", "env": [{"name": "E", "value": "1"}]}, {"name": "b", "image": "b:1"}],
              "tolerations": [{"key": "k"}],
              "volumes": [{"name": "v", "emptyDir": {}}]}}
            """)!;
        return StrategicMergePatch.Apply(pod, (JsonObject)JsonNode.Parse(patch)!, CoreShapes.Pod);
    }

    [Fact]
    public void Strategic_merge_merges_lists_by_their_key()
    {
        var pod = Strategic(
            """{"spec": {"containers": [{"name": "a", "image": "a:2", "env": [{"name": "F", "value": "2"}]}, {"name": "c", "image": "c:1"}]}}""");
        Assert.Equal(
            """[{"name":"a","image":"a:2","env":[{"name":"E","value":"1"},{"name":"F","value":"2"}]},{"name":"b","image":"b:1"},{"name":"c","image":"c:1"}]""", pod["spec"]!["containers"]!.ToJsonString());
    }

    [Fact]
    public void Strategic_merge_obeys_its_directives()
    {
        Assert.Equal(
            """[{"name":"b","image":"b:1"}]""",
            Strategic("""{"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}""")["spec"]!["containers"]!.ToJsonString());
        Assert.Equal(
            """[{"name":"z"}]""",
            Strategic("""{"spec": {"containers": [{"$patch": "replace"}, {"name": "z"}]}}""")["spec"]!["containers"]!.ToJsonString());
        Assert.Equal("""{"containers":[]}""", Strategic("""{"spec": {"$patch": "replace", "containers": []}}""")["spec"]!.ToJsonString());
        Assert.Equal(
            """[{"name":"v","hostPath":{"path":"/d"}}]""",
            Strategic(
                """{"spec": {"volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/d"}}]}}""")["spec"]!["volumes"]!.ToJsonString());
        Assert.Equal(
            """["y"]""",
            Strategic("""{"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}""")["metadata"]!["finalizers"]!.ToJsonString());
        Assert.Equal("""["x","y","z"]""", Strategic("""{"metadata": {"finalizers": ["z"]}}""")["metadata"]!["finalizers"]!.ToJsonString());
        Assert.StartsWith(
            """[{"name":"b",""",
            Strategic(
                """{"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "a", "image": "x"}]}}""")["spec"]!["containers"]!.ToJsonString());
        Assert.Equal(
            """[{"key":"other"}]""",
            Strategic("""{"spec": {"tolerations": [{"key": "other"}]}}""")["spec"]!["tolerations"]!.ToJsonString());
    }

    [Fact]
    public async Task Every_dialect_works_over_http_and_strategic_merge_is_for_built_in_kinds()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.PodsIn(space), Fixtures.Pod("p", """{"is": "there"}"""));
        var patched = await Client.PatchAsync(
            $"{Fixtures.PodsIn(space)}/p", Fixtures.Json("""{"spec": {"containers": [{"name": "worker", "image": "new"}]}}"""),
            "application/strategic-merge-patch+json");
        Assert.Equal("new", (string?)patched["spec"]!["containers"]![0]!["image"]);
        Assert.Equal(2, ((JsonArray)patched["spec"]!["containers"]![0]!["env"]!).Count);
        await Client.PatchAsync(
            $"{Fixtures.PodsIn(space)}/p", Fixtures.Json("""[{"op": "add", "path": "/metadata/labels/a", "value": "b"}]"""),
            "application/json-patch+json");

        await Client.CreateAsync(Fixtures.WidgetsIn(space), Fixtures.Widget("w"));
        await Client.ExpectAsync(
            HttpStatusCode.UnsupportedMediaType, HttpMethod.Patch, $"{Fixtures.WidgetsIn(space)}/w", Fixtures.Json("{}"),
            "application/strategic-merge-patch+json");
    }

    [Fact]
    public async Task A_patch_with_a_stale_version_conflicts()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.WidgetsIn(space), Fixtures.Widget("w"));
        await Client.ExpectAsync(
            HttpStatusCode.Conflict, HttpMethod.Patch, $"{Fixtures.WidgetsIn(space)}/w",
            Fixtures.Json("""{"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}}"""), "application/merge-patch+json");
    }
}
