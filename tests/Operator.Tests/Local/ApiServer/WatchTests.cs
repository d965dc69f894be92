using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Operator.Tests.Local.ApiServer;

public sealed class WatchTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    /// <summary>An open watch, read one event at a time.</summary>
    private sealed class Watch(HttpResponseMessage response, StreamReader reader) : IDisposable
    {
        private readonly CancellationTokenSource _patience = new(TimeSpan.FromSeconds(20));

        public static async Task<Watch> OpenAsync(ApiClient client, string path, string? accept = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (accept is not null)
            {
                request.Headers.TryAddWithoutValidation("Accept", accept);
            }
            var response = await client.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            return new Watch(response, new StreamReader(await response.Content.ReadAsStreamAsync()));
        }

        /// <returns>null at the end of the stream.</returns>
        public async Task<JsonObject?> NextAsync() =>
            await reader.ReadLineAsync(_patience.Token) is { } line ? (JsonObject)JsonNode.Parse(line)! : null;

        public async Task<string> NextTextAsync() =>
            await NextAsync() is { } e ? $"{(string?)e["type"]} {(string?)e["object"]!["metadata"]?["name"]}" : "end";

        public void Dispose()
        {
            reader.Dispose();
            response.Dispose();
            _patience.Dispose();
        }
    }

    private async Task<string> VersionAsync(string path) => (string)(await Client.GetAsync(path))["metadata"]!["resourceVersion"]!;

    [Fact]
    public async Task A_watch_from_a_version_shows_every_later_change_in_order()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var version = await VersionAsync(path);
        await Client.CreateAsync(path, Fixtures.ConfigMap("a"));
        await Client.MergeAsync($"{path}/a", Fixtures.Json("""{"data": {"a": "2"}}"""));
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{path}/a");
        using var watch = await Watch.OpenAsync(Client, $"{path}?watch=true&resourceVersion={version}");
        Assert.Equal("ADDED a", await watch.NextTextAsync());
        var modified = (await watch.NextAsync())!;
        Assert.Equal("MODIFIED", (string?)modified["type"]);
        var deleted = (await watch.NextAsync())!;
        Assert.Equal("DELETED", (string?)deleted["type"]);
        Assert.True(
            long.Parse((string)deleted["object"]!["metadata"]!["resourceVersion"]!)
                > long.Parse((string)modified["object"]!["metadata"]!["resourceVersion"]!));
        await Client.CreateAsync(path, Fixtures.ConfigMap("live"));
        Assert.Equal("ADDED live", await watch.NextTextAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("&resourceVersion=0")]
    public async Task A_watch_without_a_version_starts_with_what_is_there(string version)
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        await Client.CreateAsync(path, Fixtures.ConfigMap("a"));
        using var watch = await Watch.OpenAsync(Client, $"{path}?watch=true{version}");
        Assert.Equal("ADDED a", await watch.NextTextAsync());
        await Client.CreateAsync(path, Fixtures.ConfigMap("b"));
        Assert.Equal("ADDED b", await watch.NextTextAsync());
    }

    [Fact]
    public async Task A_streaming_list_ends_with_a_marked_bookmark()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        await Client.CreateAsync(path, Fixtures.ConfigMap("a"));
        using var watch = await Watch.OpenAsync(
            Client, $"{path}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
        Assert.Equal("ADDED a", await watch.NextTextAsync());
        var bookmark = (await watch.NextAsync())!;
        Assert.Equal("BOOKMARK", (string?)bookmark["type"]);
        Assert.Equal("true", (string?)bookmark["object"]!["metadata"]!["annotations"]!["k8s.io/initial-events-end"]);
        await Client.ExpectAsync(HttpStatusCode.UnprocessableEntity, HttpMethod.Get, $"{path}?watch=true&sendInitialEvents=true");
    }

    [Fact]
    public async Task Leaving_the_selector_reads_as_deleted_and_entering_as_added()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var version = await VersionAsync(path);
        using var watch = await Watch.OpenAsync(Client, $"{path}?watch=true&resourceVersion={version}&labelSelector=on%3Dyes");
        await Client.CreateAsync(path, Fixtures.ConfigMap("a"));
        await Client.MergeAsync($"{path}/a", Fixtures.Json("""{"metadata": {"labels": {"on": "yes"}}}"""));
        Assert.Equal("ADDED a", await watch.NextTextAsync());
        await Client.MergeAsync($"{path}/a", Fixtures.Json("""{"data": {"x": "y"}}"""));
        Assert.Equal("MODIFIED a", await watch.NextTextAsync());
        var outside = await Client.MergeAsync($"{path}/a", Fixtures.Json("""{"metadata": {"labels": {"on": "no"}}}"""));
        var deleted = (await watch.NextAsync())!;
        Assert.Equal("DELETED", (string?)deleted["type"]);
        Assert.Equal("yes", (string?)deleted["object"]!["metadata"]!["labels"]!["on"]);
        Assert.Equal((string?)outside["metadata"]!["resourceVersion"], (string?)deleted["object"]!["metadata"]!["resourceVersion"]);
    }

    [Fact]
    public async Task A_watch_ends_with_a_bookmark_when_its_time_is_up_and_there_is_news()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var version = await VersionAsync(path);
        await Client.CreateAsync(Fixtures.PodsIn(await fixture.NewNamespaceAsync()), Fixtures.Pod("news"));
        using var watch = await Watch.OpenAsync(
            Client, $"{path}?watch=true&resourceVersion={version}&timeoutSeconds=1&allowWatchBookmarks=true");
        Assert.Equal("BOOKMARK", (string?)(await watch.NextAsync())!["type"]);
        Assert.Null(await watch.NextAsync());
    }

    [Fact]
    public async Task A_watch_without_news_has_no_bookmark()
    {
        await using var server = await LocalApiServer.StartAsync(new LocalApiServerOptions(), CancellationToken.None);
        using var client = new ApiClient(server);
        var path = Fixtures.ConfigMapsIn("default");
        var version = (string)(await client.GetAsync(path))["metadata"]!["resourceVersion"]!;
        using var watch = await Watch.OpenAsync(
            client, $"{path}?watch=true&resourceVersion={version}&timeoutSeconds=1&allowWatchBookmarks=true");
        Assert.Null(await watch.NextAsync());
    }

    [Fact]
    public async Task A_table_watch_names_its_columns_once()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        await Client.CreateAsync(path, Fixtures.ConfigMap("a"));
        await Client.CreateAsync(path, Fixtures.ConfigMap("b"));
        using var watch = await Watch.OpenAsync(Client, $"{path}?watch=true", "application/json;as=Table;v=v1;g=meta.k8s.io");
        var first = (await watch.NextAsync())!["object"]!;
        Assert.Equal("Table", (string?)first["kind"]);
        Assert.NotNull(first["columnDefinitions"]);
        Assert.Null((await watch.NextAsync())!["object"]!["columnDefinitions"]);
    }

    [Fact]
    public async Task Compacted_history_is_expired_for_watches_and_pages()
    {
        await using var server = await LocalApiServer.StartAsync(new LocalApiServerOptions(), CancellationToken.None);
        using var client = new ApiClient(server);
        var path = Fixtures.ConfigMapsIn("default");
        await client.CreateAsync(path, Fixtures.ConfigMap("a"));
        var page = await client.GetAsync("/api/v1/namespaces?limit=1");
        var old = (string)(await client.GetAsync(path))["metadata"]!["resourceVersion"]!;
        await client.CreateAsync(path, Fixtures.ConfigMap("b"));
        await client.CreateAsync("/api/v1/namespaces", Fixtures.Json("""{"metadata": {"name": "late"}}"""));
        server.CompactHistory();
        using var watch = await Watch.OpenAsync(client, $"{path}?watch=true&resourceVersion={old}");
        var error = (await watch.NextAsync())!;
        Assert.Equal(
            ("ERROR", 410, "Expired"), ((string?)error["type"], (int?)error["object"]!["code"], (string?)error["object"]!["reason"]));
        Assert.Null(await watch.NextAsync());
        var expired = await client.ExpectAsync(
            HttpStatusCode.Gone, HttpMethod.Get,
            $"/api/v1/namespaces?limit=1&continue={Uri.EscapeDataString((string)page["metadata"]!["continue"]!)}");
        var rest = await client.GetAsync($"/api/v1/namespaces?continue={Uri.EscapeDataString((string)expired["metadata"]!["continue"]!)}");
        Assert.Equal(["kube-system", "late"], ((JsonArray)rest["items"]!).Select(item => (string?)item!["metadata"]!["name"]));
    }

    [Fact]
    public async Task A_watch_of_a_deleted_definition_ends()
    {
        var definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        await Client.CreateAsync(definitions, Fixtures.WidgetDefinition("ending.test", "endings", "Ending"));
        using var watch = await Watch.OpenAsync(Client, "/apis/ending.test/v1/endings?watch=true");
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{definitions}/endings.ending.test");
        Assert.Null(await watch.NextAsync());
    }
}
