using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios.Conformance;

/// <summary>Lists and watches: resource versions, pages, bookmarks, streaming lists.</summary>
public sealed class ReadConformance(ApiServerUnderTest server) : ConformanceTests(server)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_list_is_of_the_version_that_was_asked_for()
    {
        await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("a"));
        var before = Version(await Api.GetAsync(ConfigMaps));
        await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("b"));
        Assert.Equal("a b", Names(await Api.GetAsync(ConfigMaps)));
        Assert.Equal("a", Names(await Api.GetAsync($"{ConfigMaps}?resourceVersion={before}&resourceVersionMatch=Exact")));
        Assert.Equal(before, Version(await Api.GetAsync($"{ConfigMaps}?resourceVersion={before}&resourceVersionMatch=Exact")));
        Assert.StartsWith(
            "a", Names(await Api.GetAsync($"{ConfigMaps}?resourceVersion={before}&resourceVersionMatch=NotOlderThan")),
            StringComparison.Ordinal);
        await Api.GetAsync($"{ConfigMaps}?resourceVersion=0");
    }

    [Theory]
    [InlineData("resourceVersionMatch=Exact")]
    [InlineData("resourceVersion=0&resourceVersionMatch=Exact")]
    [InlineData("resourceVersion=1&resourceVersionMatch=Sometimes")]
    public async Task A_match_without_a_version_to_match_is_refused(string query) =>
        await RefusedAsync(HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Get, $"{ConfigMaps}?{query}");

    [Fact]
    public async Task A_version_of_the_future_is_told_to_come_back_later()
    {
        var now = long.Parse(Version(await Api.GetAsync(ConfigMaps))!, CultureInfo.InvariantCulture);
        var refused = await Api.ExpectAsync(
            HttpStatusCode.GatewayTimeout, HttpMethod.Get,
            $"{ConfigMaps}?resourceVersion={now + 1_000_000}&resourceVersionMatch=NotOlderThan");
        Assert.Contains("Too large resource version", (string?)refused["message"], StringComparison.Ordinal);
        Assert.Equal("ResourceVersionTooLarge", (string?)refused["details"]!["causes"]![0]!["reason"]);
    }

    [Fact]
    public async Task Pages_are_of_one_version_and_name_the_next_until_the_last()
    {
        foreach (var name in new[] { "a", "b", "c", "d", "e" })
        {
            await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap(name));
        }

        var page = await Api.GetAsync($"{ConfigMaps}?limit=2");
        var version = Version(page);
        var read = new List<string> { Names(page) };
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{ConfigMaps}/d");
        while ((string?)page["metadata"]!["continue"] is { Length: > 0 } token)
        {
            page = await Api.GetAsync($"{ConfigMaps}?limit=2&continue={Uri.EscapeDataString(token)}");
            Assert.Equal(version, Version(page));
            read.Add(Names(page));
        }

        Assert.Equal(["a b", "c d", "e"], read);
        using var malformed = await Api.SendAsync(HttpMethod.Get, $"{ConfigMaps}?limit=2&continue=nonsense");
        Assert.Equal(HttpStatusCode.BadRequest, malformed.StatusCode);
    }

    [Fact]
    public async Task A_watch_shows_every_change_after_its_version_in_order_and_no_write_that_changed_nothing()
    {
        var start = Version(await Api.GetAsync(ConfigMaps));
        var created = await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("a"));
        await Api.MergeAsync($"{ConfigMaps}/a", Fixtures.Json("""{"data": {"a": "1"}}"""));
        var changed = await Api.MergeAsync($"{ConfigMaps}/a", Fixtures.Json("""{"data": {"a": "2"}}"""));
        await Api.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{ConfigMaps}/a");
        var events = await WatchAsync(
            $"{ConfigMaps}?watch=true&resourceVersion={start}&timeoutSeconds=20", e => (string?)e["type"] == "DELETED");
        Assert.Equal(["ADDED", "MODIFIED", "DELETED"], events.Select(e => (string?)e["type"]));
        Assert.Equal([Version(created), Version(changed)], events.Take(2).Select(e => Version(e["object"]!.AsObject())));
        var deletedAt = long.Parse(Version(events[2]["object"]!.AsObject())!, CultureInfo.InvariantCulture);
        Assert.True(deletedAt > long.Parse(Version(changed)!, CultureInfo.InvariantCulture), "a deletion has a version of its own");
    }

    [Fact]
    public async Task Bookmarks_come_to_those_who_allow_them_and_say_only_how_far_one_is()
    {
        var map = await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("a"));

        // Without news there is nothing that a bookmark could say.
        await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("b"));
        var events = await WatchAsync(
            $"{ConfigMaps}?watch=true&resourceVersion={Version(map)}&allowWatchBookmarks=true&timeoutSeconds=5",
            e => (string?)e["type"] == "BOOKMARK");
        var bookmark = events[^1]["object"]!.AsObject();
        Assert.Equal(("BOOKMARK", "ConfigMap"), ((string?)events[^1]["type"], (string?)bookmark["kind"]));
        Assert.True(
            long.Parse(Version(bookmark)!, CultureInfo.InvariantCulture) >= long.Parse(Version(map)!, CultureInfo.InvariantCulture));
        Assert.Null(bookmark["data"]);
        var without = await WatchAsync($"{ConfigMaps}?watch=true&resourceVersion={Version(map)}&timeoutSeconds=2", _ => false);
        Assert.DoesNotContain(without, e => (string?)e["type"] == "BOOKMARK");
    }

    [Fact]
    public async Task A_streaming_list_begins_with_everything_and_marks_where_that_ends()
    {
        await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("a"));
        await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("b"));
        const string Query =
            "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=20";
        using var probe = await Api.SendAsync(
            HttpMethod.Get, $"{ConfigMaps}?{Query.Replace("timeoutSeconds=20", "timeoutSeconds=1", StringComparison.Ordinal)}");
        Assert.SkipWhen(probe.StatusCode == HttpStatusCode.UnprocessableEntity, "this server has the WatchList feature off");
        var events = await WatchAsync($"{ConfigMaps}?{Query}", e => (string?)e["type"] == "BOOKMARK");
        Assert.Equal(["ADDED", "ADDED", "BOOKMARK"], events.Select(e => (string?)e["type"]));
        Assert.Equal("true", (string?)events[2]["object"]!["metadata"]!["annotations"]!["k8s.io/initial-events-end"]);
        await RefusedAsync(
            HttpStatusCode.UnprocessableEntity, "Invalid", HttpMethod.Get, $"{ConfigMaps}?watch=true&sendInitialEvents=true");
    }

    [Fact]
    public async Task A_watch_with_a_selector_sees_objects_come_and_go_as_they_match()
    {
        var start = Version(await Api.GetAsync(ConfigMaps));
        await Api.CreateAsync(ConfigMaps, Fixtures.ConfigMap("a", """{"labels": {"on": "no"}}"""));
        await Api.MergeAsync($"{ConfigMaps}/a", Fixtures.Json("""{"metadata": {"labels": {"on": "yes"}}}"""));
        await Api.MergeAsync($"{ConfigMaps}/a", Fixtures.Json("""{"metadata": {"labels": {"on": "no"}}}"""));
        var events = await WatchAsync(
            $"{ConfigMaps}?watch=true&resourceVersion={start}&labelSelector=on%3Dyes&timeoutSeconds=20",
            e => (string?)e["type"] == "DELETED");
        Assert.Equal(["ADDED", "DELETED"], events.Select(e => (string?)e["type"]));
    }

    private static string Names(JsonObject list) =>
        string.Join(' ', list["items"]!.AsArray().Select(i => (string?)i!["metadata"]!["name"]).Where(name => name != "kube-root-ca.crt"));

    /// <summary>Events until one is the last wanted or the server ends the stream.</summary>
    private async Task<IReadOnlyList<JsonObject>> WatchAsync(string path, Func<JsonObject, bool> isLast)
    {
        using var limit = new CancellationTokenSource(Limit);
        using var response = await Api.Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(limit.Token));
        var events = new List<JsonObject>();
        while (await reader.ReadLineAsync(limit.Token) is { } line)
        {
            events.Add((JsonObject)JsonNode.Parse(line)!);
            if (isLast(events[^1]))
            {
                break;
            }
        }

        return events;
    }
}
