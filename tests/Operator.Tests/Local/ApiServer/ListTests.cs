using System.Net;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

public sealed class ListTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    private static string Names(JsonObject list) =>
        string.Join(' ', ((JsonArray)list["items"]!).Select(item => (string?)item!["metadata"]!["name"]));

    private async Task<string> FilledAsync()
    {
        var space = await fixture.NewNamespaceAsync();
        foreach (var (name, labels) in new[]
        {
            ("a", """{"app": "x", "tier": "1"}"""),
            ("b", """{"app": "y"}"""),
            ("c", """{"app": "x"}"""),
            ("d", "{}")
        })
        {
            await Client.CreateAsync(Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap(name, $$"""{"labels": {{labels}}}"""));
        }
        return space;
    }

    [Theory]
    [InlineData("app=x", "a c")]
    [InlineData("app==x,tier=1", "a")]
    [InlineData("app!=x", "b d")]
    [InlineData("app in (x, y)", "a b c")]
    [InlineData("app notin (x),app", "b")]
    [InlineData("!app", "d")]
    [InlineData("tier>0", "a")]
    public async Task Label_selectors_choose(string selector, string expected)
    {
        var space = await FilledAsync();
        Assert.Equal(
            expected, Names(await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}?labelSelector={Uri.EscapeDataString(selector)}")));
    }

    [Fact]
    public async Task Field_selectors_choose_by_what_the_kind_allows()
    {
        var space = await FilledAsync();
        Assert.Equal("b", Names(await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}?fieldSelector=metadata.name%3Db")));
        await Client.CreateAsync(Fixtures.PodsIn(space), Fixtures.Pod("p"));
        Assert.Equal(
            "p",
            Names(
                await Client.GetAsync($"/api/v1/pods?fieldSelector=status.phase%3DPending,spec.nodeName%3D,metadata.namespace%3D{space}")));
        var refused = await Client.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Get, $"{Fixtures.ConfigMapsIn(space)}?fieldSelector=data.a%3D1");
        Assert.Equal("field label not supported: data.a", (string?)refused["message"]);
    }

    [Fact]
    public async Task Pages_show_one_version_whatever_is_written_between_them()
    {
        var space = await FilledAsync();
        var first = await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}?limit=3");
        Assert.Equal("a b c", Names(first));
        Assert.Equal(1, (int?)first["metadata"]!["remainingItemCount"]);
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Fixtures.ConfigMapsIn(space)}/d");
        await Client.CreateAsync(Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("e"));
        var token = Uri.EscapeDataString((string)first["metadata"]!["continue"]!);
        var second = await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}?limit=3&continue={token}");
        Assert.Equal("d", Names(second));
        Assert.Equal((string?)first["metadata"]!["resourceVersion"], (string?)second["metadata"]!["resourceVersion"]);
        Assert.Null(second["metadata"]!["continue"]);
        await Client.ExpectAsync(HttpStatusCode.BadRequest, HttpMethod.Get, $"{Fixtures.ConfigMapsIn(space)}?continue=nonsense");
    }

    [Fact]
    public async Task An_exact_version_lists_the_past_and_a_future_one_times_out()
    {
        var space = await FilledAsync();
        var version = (string)(await Client.GetAsync(Fixtures.ConfigMapsIn(space)))["metadata"]!["resourceVersion"]!;
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Fixtures.ConfigMapsIn(space)}/a");
        Assert.Equal(
            "a b c d",
            Names(await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}?resourceVersion={version}&resourceVersionMatch=Exact")));
        Assert.Equal(
            "b c d",
            Names(await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}?resourceVersion={version}&resourceVersionMatch=NotOlderThan")));
        Assert.Equal("b c d", Names(await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}?resourceVersion=0")));
        var future = await Client.ExpectAsync(
            HttpStatusCode.GatewayTimeout, HttpMethod.Get, $"{Fixtures.ConfigMapsIn(space)}?resourceVersion=99999999");
        Assert.Equal("ResourceVersionTooLarge", (string?)future["details"]!["causes"]![0]!["reason"]);
        await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Get, $"{Fixtures.ConfigMapsIn(space)}?resourceVersionMatch=Exact");
    }

    [Fact]
    public async Task Delete_collection_takes_what_the_selector_matches()
    {
        var space = await FilledAsync();
        var deleted = await Client.ExpectAsync(
            HttpStatusCode.OK, HttpMethod.Delete, $"{Fixtures.ConfigMapsIn(space)}?labelSelector=app%3Dx");
        Assert.Equal("a c", Names(deleted));
        Assert.Equal("b d", Names(await Client.GetAsync(Fixtures.ConfigMapsIn(space))));
    }

    [Fact]
    public async Task Tables_carry_cells_and_metadata()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.PodsIn(space), Fixtures.Pod("p"));
        var table = await Client.ExpectAsync(
            HttpStatusCode.OK, HttpMethod.Get, Fixtures.PodsIn(space),
            accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
        Assert.Equal("Table", (string?)table["kind"]);
        var columns = ((JsonArray)table["columnDefinitions"]!).Select(c => (string?)c!["name"]);
        Assert.Equal("Name,Ready,Status,Restarts,Age,IP,Node,Nominated Node,Readiness Gates", string.Join(',', columns));
        Assert.Equal(["p", "0/1", "Pending", "0"], ((JsonArray)table["rows"]![0]!["cells"]!).Take(4).Select(c => (string?)c));
        Assert.Equal("PartialObjectMetadata", (string?)table["rows"]![0]!["object"]!["kind"]);
        var metadata = await Client.ExpectAsync(
            HttpStatusCode.OK, HttpMethod.Get, Fixtures.PodsIn(space),
            accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io");
        Assert.Equal("PartialObjectMetadataList", (string?)metadata["kind"]);
        Assert.Null(metadata["items"]![0]!["spec"]);
    }
}
