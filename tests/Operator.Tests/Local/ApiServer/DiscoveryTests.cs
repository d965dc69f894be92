using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Local.ApiServer.Protobuf;
using Cluster.Operator.Local.ApiServer.Tables;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Discovery, OpenAPI, and the small pieces of presentation.</summary>
public sealed class DiscoveryTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    [Fact]
    public async Task Both_forms_of_discovery_name_the_same_resources()
    {
        using var aggregated = await Client.SendAsync(
            HttpMethod.Get, "/apis", accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json");
        Assert.Equal(
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            aggregated.Content.Headers.GetValues("Content-Type").Single().Replace(" ", "", StringComparison.Ordinal));
        var group = ((JsonArray)JsonNode.Parse(await aggregated.Content.ReadAsStringAsync())!["items"]!)
            .Single(item => (string?)item!["metadata"]!["name"] == "example.test")!;
        var widget = group["versions"]![0]!["resources"]![0]!;
        Assert.Equal(("widgets", "Namespaced"), ((string?)widget["resource"], (string?)widget["scope"]));
        Assert.Equal(["status", "scale"], ((JsonArray)widget["subresources"]!).Select(s => (string?)s!["subresource"]));

        var plain = await Client.GetAsync("/apis/example.test/v1");
        Assert.Equal(["widgets", "widgets/status", "widgets/scale"], ((JsonArray)plain["resources"]!).Select(r => (string?)r!["name"]));
        Assert.Equal("APIGroupList", (string?)(await Client.GetAsync("/apis"))["kind"]);
        Assert.Equal("v1", (string?)(await Client.GetAsync("/apis/example.test"))["preferredVersion"]!["version"]);
        Assert.Equal("APIVersions", (string?)(await Client.GetAsync("/api"))["kind"]);
    }

    [Fact]
    public async Task Open_api_publishes_the_schema_of_a_definition()
    {
        var index = await Client.GetAsync("/openapi/v3");
        var url = (string)index["paths"]!["apis/example.test/v1"]!["serverRelativeURL"]!;
        var document = await Client.GetAsync(url);
        Assert.Equal(
            "integer",
            (string?)document["components"]!["schemas"]!["test.example.v1.Widget"]!["properties"]!["spec"]!["properties"]!["replicas"]!["type"]);
        var parameters =
            (JsonArray)document["paths"]!["/apis/example.test/v1/namespaces/{namespace}/widgets/{name}"]!["patch"]!["parameters"]!;
        Assert.Contains(parameters, p => (string?)p!["name"] == "fieldValidation");
    }

    [Fact]
    public async Task Access_reviews_say_yes()
    {
        var review = await Client.CreateAsync(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            Fixtures.Json("""{"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}"""));
        Assert.True((bool?)review["status"]!["allowed"]);
        await Client.ExpectAsync(HttpStatusCode.MethodNotAllowed, HttpMethod.Get, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    }

    [Theory]
    [InlineData(0, "0s")]
    [InlineData(119, "119s")]
    [InlineData(120, "2m")]
    [InlineData(125, "2m5s")]
    [InlineData(600, "10m")]
    [InlineData(3 * 3600, "3h")]
    [InlineData((3 * 3600) + 60, "3h1m")]
    [InlineData(9 * 3600, "9h")]
    [InlineData(48 * 3600, "2d")]
    [InlineData(49 * 3600, "2d1h")]
    [InlineData(9 * 86400, "9d")]
    [InlineData(800 * 86400, "2y70d")]
    public void Ages_read_as_kubectl_writes_them(int seconds, string expected)
    {
        var now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        Assert.Equal(expected, Age.Of(now.AddSeconds(-seconds), now));
    }

    [Theory]
    [InlineData(".a.b", "1")]
    [InlineData("['a'].b", "1")]
    [InlineData(@".x\.y", "2")]
    [InlineData(".list[0].v", "p")]
    [InlineData(".list[-1].v", "q")]
    [InlineData(".list[*].v", "p,q")]
    [InlineData(".list[?(@.t==\"Ready\")].v", "q")]
    [InlineData(".none.deeper", "")]
    public void Json_paths_find_their_values(string path, string expected)
    {
        Assert.True(JsonPathExpression.TryParse(path, out var expression));
        var root = JsonNode.Parse("""{"a": {"b": 1}, "x.y": 2, "list": [{"t": "Other", "v": "p"}, {"t": "Ready", "v": "q"}]}""")!;
        Assert.Equal(expected, string.Join(',', expression.Evaluate(root).Select(node => node.ToString())));
    }

    [Theory]
    [InlineData("a.b")]
    [InlineData("..a")]
    [InlineData(".a[")]
    [InlineData(".a[?(x)]")]
    public void Json_paths_outside_the_subset_are_refused(string path) => Assert.False(JsonPathExpression.TryParse(path, out _));

    // k8s\0, Unknown{1: {1: "v1", 2: "ConfigMap"}, 2: {1: {1: "a"}, 2: {1: "k", 2: "v"}}}
    private const string ConfigMapHex = "6b387300" + "0a0f" + "0a027631" + "1209436f6e6669674d6170" + "120d" + "0a030a0161"
        + "12060a016b120176";

    private static byte[] ProtobufConfigMap() => Convert.FromHexString(ConfigMapHex);

    [Fact]
    public void A_protobuf_body_reads_as_json() =>
        Assert.Equal(
            """{"metadata":{"name":"a"},"data":{"k":"v"},"apiVersion":"v1","kind":"ConfigMap"}""",
            ProtobufText.Parse(ProtobufConfigMap()).ToJsonString());

    [Fact]
    public void A_protobuf_body_cut_anywhere_is_an_error_and_never_a_crash()
    {
        var whole = ProtobufConfigMap();
        for (var length = 0; length < whole.Length; length++)
        {
            try
            {
                ProtobufText.Parse(whole.AsSpan(0, length));
            }
            catch (ApiException error)
            {
                Assert.InRange(error.Code, 400, 415);
            }
        }
    }

    [Fact]
    public async Task A_protobuf_kind_without_a_layout_is_refused()
    {
        using var content = new ByteArrayContent([.. "k8s\0"u8, 0x0a, 0x09, 0x0a, 0x02, .. "v1"u8, 0x12, 0x03, .. "Pod"u8]);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/vnd.kubernetes.protobuf");
        using var response = await Client.Http.PostAsync(Fixtures.PodsIn("default"), content);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }
}
