using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Clients that prefer protobuf, as kubectl and client-go's typed clients do, find JSON instead.</summary>
public sealed class MediaTypeTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private const string Protobuf = "application/vnd.kubernetes.protobuf";

    private ApiClient Client => fixture.Client;

    [Theory]
    [InlineData($"{Protobuf},application/json")]
    [InlineData($"{Protobuf};as=Table;v=v1;g=meta.k8s.io,application/json")]
    [InlineData($"{Protobuf};stream=watch,application/json;stream=watch")]
    [InlineData("application/cbor,application/json")]
    [InlineData("*/*")]
    public async Task Answers_are_json_where_the_client_takes_it(string accept)
    {
        using var response = await Client.SendAsync(HttpMethod.Get, Fixtures.PodsIn("default"), accept: accept);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("PodList", (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["kind"]);
    }

    [Theory]
    [InlineData("GET", Protobuf)]
    [InlineData("GET", $"{Protobuf};stream=watch")]
    [InlineData("POST", Protobuf)]
    [InlineData("POST", "application/json;as=Table;v=v1;g=other.io")]
    public async Task A_client_that_takes_no_json_is_told_so_before_anything_is_done(string method, string accept)
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var refused = await Client.ExpectAsync(
            HttpStatusCode.NotAcceptable, new HttpMethod(method), path, method == "POST" ? Fixtures.ConfigMap("a") : null, accept: accept);
        Assert.Equal(
            ("Status", "NotAcceptable", "only the following media types are accepted: application/json"),
            ((string?)refused["kind"], (string?)refused["reason"], (string?)refused["message"]));
        Assert.Empty((await Client.GetAsync(path))["items"]!.AsArray());
    }

    [Fact]
    public async Task A_watch_of_a_client_that_prefers_protobuf_is_json_lines()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a"));
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{Fixtures.ConfigMapsIn(space)}?watch=true&timeoutSeconds=1");
        request.Headers.TryAddWithoutValidation("Accept", $"{Protobuf};stream=watch,application/json;stream=watch");
        using var response = await Client.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("ADDED", (string?)JsonNode.Parse((await lines.ReadLineAsync())!)!["type"]);
    }

    [Theory]
    [InlineData(Protobuf)]
    [InlineData("application/cbor")]
    [InlineData("text/plain")]
    public async Task A_body_in_another_format_is_refused_with_a_status(string contentType)
    {
        // A Pod in protobuf, which no table has the fields of.
        using var content = new ByteArrayContent([.. "k8s\0"u8, 0x0a, 0x09, 0x0a, 0x02, .. "v1"u8, 0x12, 0x03, .. "Pod"u8]);
        content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        using var response = await Client.Http.PostAsync(Fixtures.PodsIn("default"), content);
        var status = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(
            (HttpStatusCode.UnsupportedMediaType, "Status", "UnsupportedMediaType"),
            (response.StatusCode, (string?)status["kind"], (string?)status["reason"]));
        Assert.StartsWith(
            "the body of the request was in an unknown format - accepted media types include: application/json", (string?)status["message"],
            StringComparison.Ordinal);
    }
}
