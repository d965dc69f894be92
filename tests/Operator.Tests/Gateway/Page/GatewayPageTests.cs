using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Cluster.Operator.Gateway.Page;

namespace Cluster.Operator.Tests.Gateway.Page;

public sealed partial class GatewayPageTests
{
    private const string KeysFile =
        """
        keys:
        - {key: for-the-page, name: operator, page: true}
        - {key: for-requests, name: team}
        """;

    [Fact]
    public async Task Every_file_that_the_page_names_is_served_and_nothing_comes_from_elsewhere()
    {
        await using var host = await PageHost.StartAsync();
        HashSet<string> seen = [];
        Queue<string> open = new(["/"]);
        while (open.TryDequeue(out var path))
        {
            using var response = await host.Http.GetAsync(path);
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"{path}: {response.StatusCode}");
            var text = await response.Content.ReadAsStringAsync();
            foreach (var next in References(path, text).Where(seen.Add))
            {
                open.Enqueue(next);
            }
        }

        Assert.Equal(
            PageFiles.Names.Where(name => name != PageFiles.Index).Order(), seen.Select(path => path["/page/files/".Length..]).Order());
        foreach (var name in PageFiles.Names)
        {
            var text = System.Text.Encoding.UTF8.GetString(PageFiles.Find(name)!.Content.Span);
            Assert.DoesNotMatch(OtherOrigin(), text.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal));
            Assert.DoesNotMatch(Markup(), text);
        }
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/page/files/main.js")]
    [InlineData("/page/files/nothing.js")]
    [InlineData("/page/events")]
    public async Task Every_answer_forbids_what_the_page_does_not_need(string path)
    {
        await using var host = await PageHost.StartAsync();
        using var response = await host.Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);

        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'; script-src 'self';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("no-referrer", Assert.Single(response.Headers.GetValues("Referrer-Policy")));
    }

    [Fact]
    public async Task A_browser_that_has_a_file_is_not_sent_it_again()
    {
        await using var host = await PageHost.StartAsync();
        using var first = await host.Http.GetAsync("/page/files/main.js");
        using HttpRequestMessage again = new(HttpMethod.Get, "/page/files/main.js");
        again.Headers.IfNoneMatch.Add(first.Headers.ETag!);

        using var second = await host.Http.SendAsync(again);

        Assert.Equal(("text/javascript", HttpStatusCode.NotModified), (first.Content.Headers.ContentType!.MediaType, second.StatusCode));
        Assert.Empty(await second.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("/", null, HttpStatusCode.OK)]
    [InlineData("/page/files/main.js", null, HttpStatusCode.OK)]
    [InlineData("/page/events", null, HttpStatusCode.Unauthorized)]
    [InlineData("/page/events", "wrong", HttpStatusCode.Unauthorized)]
    [InlineData("/page/events", "for-requests", HttpStatusCode.Forbidden)]
    [InlineData("/page/events", "for-the-page", HttpStatusCode.OK)]
    public async Task Files_are_for_everybody_and_what_the_page_shows_is_for_keys_of_the_page(
        string path, string? key, HttpStatusCode expected)
    {
        using TemporaryFolder folder = new();
        var keys = folder.Write("keys.yaml", KeysFile);
        await using var host = await PageHost.StartAsync(keysFile: keys);
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        request.Headers.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);

        using var response = await host.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task A_replica_is_killed_for_the_page_alone()
    {
        RecordingKiller killer = new();
        await using var host = await StartWithReplicaAsync(killer);

        using var done = await KillAsync(host, "haiku-a");

        Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        Assert.Equal(["ns/haiku-a"], killer.Killed);
    }

    [Theory]
    [InlineData("http://evil.example", "1", null)]
    [InlineData("null", "1", null)]
    [InlineData(null, "1", "cross-site")]
    [InlineData(null, "1", "same-site")]
    [InlineData(null, null, null)]
    public async Task A_page_of_another_site_kills_nothing(string? origin, string? header, string? site)
    {
        RecordingKiller killer = new();
        await using var host = await StartWithReplicaAsync(killer);

        using var refused = await KillAsync(host, "haiku-a", origin, header, site);

        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Contains("error", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(killer.Killed);
    }

    [Fact]
    public async Task What_is_no_replica_or_has_no_process_is_said_so()
    {
        RecordingKiller killer = new() { Outcome = KillOutcome.NotRunning };
        await using var host = await StartWithReplicaAsync(killer);

        using var unknown = await KillAsync(host, "somebody-elses-pod");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Empty(killer.Killed);

        using var between = await KillAsync(host, "haiku-a");
        Assert.Equal(HttpStatusCode.Conflict, between.StatusCode);
    }

    [Fact]
    public async Task Without_local_mode_nobody_kills()
    {
        await using var host = await StartWithReplicaAsync(null);

        using var refused = await KillAsync(host, "haiku-a");

        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        Assert.Contains("local mode only", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static async Task<PageHost> StartWithReplicaAsync(IReplicaKiller? killer)
    {
        var host = await PageHost.StartAsync(killer);
        await host.AddReplicaAsync("haiku-a");
        using var stream = await host.OpenAsync();
        await stream.UntilAsync("cluster", data => (bool)data["isComplete"]!);
        return host;
    }

    private static Task<HttpResponseMessage> KillAsync(
        PageHost host, string pod, string? origin = "same", string? header = "1", string? site = null)
    {
        HttpRequestMessage request = new(HttpMethod.Post, $"/page/api/replicas/ns/{pod}/kill");
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin == "same" ? host.Http.BaseAddress!.GetLeftPart(UriPartial.Authority) : origin);
        }

        if (header is not null)
        {
            request.Headers.Add(GatewayPage.KillHeader, header);
        }

        if (site is not null)
        {
            request.Headers.Add("Sec-Fetch-Site", site);
        }

        return host.Http.SendAsync(request);
    }

    private static IEnumerable<string> References(string path, string text) => Path.GetExtension(path) switch
    {
        "" or ".html" => Attribute().Matches(text).Select(match => match.Groups[1].Value).Where(value => !value.StartsWith('#')),
        ".js" => Import().Matches(text).Select(match => $"/page/files/{match.Groups[1].Value}"),
        _ => [],
    };

    private sealed class RecordingKiller : IReplicaKiller
    {
        public List<string> Killed { get; } = [];

        public KillOutcome Outcome { get; init; }

        public KillOutcome Kill(string @namespace, string pod)
        {
            Killed.Add($"{@namespace}/{pod}");
            return Outcome;
        }
    }

    [GeneratedRegex("(?:src|href)=\"([^\"]+)\"")]
    private static partial Regex Attribute();

    [GeneratedRegex(@"from '\./([a-z]+\.js)'")]
    private static partial Regex Import();

    [GeneratedRegex("https?://|url\\(|@import")]
    private static partial Regex OtherOrigin();

    /// <summary>Text that is read as markup, inline script and inline style.</summary>
    [GeneratedRegex(@"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|<script>|<style| style=| on[a-z]+=""")]
    private static partial Regex Markup();
}
