using System.Text;
using Cluster.Operator.Kubernetes;
using k8s.Models;
using Microsoft.AspNetCore.Http;
using WatchEventType = k8s.WatchEventType;

namespace Cluster.Operator.Tests.Kubernetes;

public class WatchTests
{
    private static string Event(string type, string name, string version)
        =>
        $$$$"""{"type":"{{{{type}}}}","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"{{{{name}}}}","resourceVersion":"{{{{version}}}}"}}}""" + "\n";

    private static async Task<List<string>> CollectAsync(KubernetesClient client)
    {
        List<string> seen = [];
        await foreach (var happened in client.WatchAsync<V1Pod>(null, "42", new Selection("a=b"), opened: null, CancellationToken.None))
        {
            seen.Add($"{happened.Type} {happened.Object.Metadata.Name} {happened.Object.Metadata.ResourceVersion}");
        }

        return seen;
    }

    [Fact]
    public async Task Events_arrive_one_by_one_until_the_server_ends_the_stream()
    {
        var stream = Event("ADDED", "a", "43") + Event("MODIFIED", "a", "44") + "\n" + Event("BOOKMARK", "", "50")
            + Event("DELETED", "a", "51")
            + """{ "other": {"type":"ADDED"}, "object": {"metadata":{"name":"b","resourceVersion":"52","type":"x"}}, "type": "ADDED" }"""
            + "\n";
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(async context =>
        {
            // In pieces that end anywhere, as a network would.
            var bytes = Encoding.UTF8.GetBytes(stream);
            for (var i = 0; i < bytes.Length; i += 37)
            {
                await context.Response.Body.WriteAsync(bytes.AsMemory(i, Math.Min(37, bytes.Length - i)));
                await context.Response.Body.FlushAsync();
            }
        }).Client();
        Assert.Equal(["Added a 43", "Modified a 44", "Bookmark  50", "Deleted a 51", "Added b 52"], await CollectAsync(client));
        Assert.Matches(
            @"^/api/v1/pods\?watch=true&allowWatchBookmarks=true&resourceVersion=42&timeoutSeconds=([345]\d\d)&labelSelector=a%3Db$",
            server.Requests[0].Target);
    }

    [Fact]
    public async Task An_event_is_seen_before_the_stream_goes_on()
    {
        TaskCompletionSource seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.LoopbackServer);
        server.Then(async context =>
        {
            await context.Response.WriteAsync(Event("ADDED", "a", "43"));
            await seen.Task;
            await context.Response.WriteAsync(Event("DELETED", "a", "44"));
        });
        using var client = KubernetesClient.Create(new ClientConfiguration { Server = server.Address, SkipTlsVerify = true });
        List<WatchEventType> types = [];
        await foreach (var happened in client.WatchAsync<V1Pod>("team", "1", null, opened: null, CancellationToken.None))
        {
            types.Add(happened.Type);
            seen.TrySetResult();
        }

        Assert.Equal([WatchEventType.Added, WatchEventType.Deleted], types);
        Assert.Equal("HTTP/2", server.Requests[0].Protocol);
    }

    [Fact]
    public async Task An_expired_version_is_thrown_as_gone_after_the_events_before_it()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, Event("ADDED", "a", "43")
            + """{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version: 42 (90)","reason":"Expired","code":410}}""" + "\n").Client();
        await using var events = client.WatchAsync<V1Pod>(null, "42", null, opened: null, CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await events.MoveNextAsync());
        var error = await Assert.ThrowsAsync<KubernetesException>(async () => await events.MoveNextAsync());
        Assert.True(error.IsGone);
        Assert.Equal("Expired", error.Reason);
    }

    [Fact]
    public async Task A_watch_refused_at_once_is_an_error_too()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(410, """{"kind":"Status","reason":"Gone","message":"gone","code":410}""").Client();
        Assert.True((await Assert.ThrowsAsync<KubernetesException>(() => CollectAsync(client))).IsGone);
    }

    [Fact]
    public async Task A_connection_cut_between_or_inside_events_is_no_orderly_end()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server
            .Then(async context =>
            {
                await context.Response.WriteAsync(Event("ADDED", "a", "43"));
                await context.Response.Body.FlushAsync();
                context.Abort();
            })
            .Then(200, Event("ADDED", "a", "43") + """{"type":"MODIF""").Client();
        for (var i = 0; i < 2; i++)
        {
            var error = await Assert.ThrowsAsync<KubernetesException>(() => CollectAsync(client));
            Assert.Equal((0, "Unreachable"), (error.StatusCode, error.Reason));
        }
    }

    [Theory]
    [InlineData("""{"type":"RENAMED","object":{}}""", "unknown event type 'RENAMED'")]
    [InlineData("""{"type":"ADDED","object":null}""", "the object is Null")]
    [InlineData("""{"type":"ADDED"}""", "the object is Undefined")]
    [InlineData("""{"type":"ERROR","object":3}""", "the object is Number")]
    [InlineData("""{"type":"ADDED","object":{"metadata":{"labels":[]}}}""", "$.metadata.labels")]
    [InlineData("not json", "does not fit")]
    public async Task An_event_that_cannot_be_read_is_reported(string line, string message)
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, line + "\n").Client();
        var error = await Assert.ThrowsAsync<KubernetesException>(() => CollectAsync(client));
        Assert.Equal("UnreadableAnswer", error.Reason);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_forgets_to_end_the_watch_is_taken_for_dead()
    {
        ManualTime time = new();
        TaskCompletionSource release = new();
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(async context =>
        {
            await context.Response.WriteAsync(Event("ADDED", "a", "43"));
            await context.Response.Body.FlushAsync();
            await release.Task;
        }).Client(time);
        await using var events = client.WatchAsync<V1Pod>(null, "42", null, opened: null, CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await events.MoveNextAsync());
        var next = events.MoveNextAsync().AsTask();
        time.Advance(TimeSpan.FromSeconds(290));
        Assert.False(next.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(350));
        Assert.Equal("Timeout", (await Assert.ThrowsAsync<KubernetesException>(() => next)).Reason);
        release.SetResult();
    }

    [Fact]
    public async Task Stopping_a_watch_ends_the_request()
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(async context =>
        {
            context.RequestAborted.Register(() => ended.TrySetResult());
            await context.Response.WriteAsync(Event("ADDED", "a", "43"));
            await context.Response.Body.FlushAsync();
            await ended.Task;
        }).Client();
        await foreach (var _ in client.WatchAsync<V1Pod>(null, "42", null, opened: null, CancellationToken.None))
        {
            break;
        }

        await ended.Task;
    }

    [Fact]
    public async Task Lines_are_cut_whatever_the_pieces_and_bounded()
    {
        Random random = new(5);
        string[] lines = [.. Enumerable.Range(0, 200).Select(i => new string((char)('a' + (i % 26)), random.Next(0, 40_000)))];
        using MemoryStream stream = new(Encoding.ASCII.GetBytes(string.Join('\n', lines) + "\n"));
        LineReader reader = new(stream, 40_000);
        foreach (var line in lines)
        {
            Assert.Equal(line, Encoding.ASCII.GetString((await reader.ReadAsync(CancellationToken.None))!.Value.Span));
        }

        Assert.Null(await reader.ReadAsync(CancellationToken.None));
        LineReader tight = new(new MemoryStream(new byte[200_000]), 40_000);
        await Assert.ThrowsAsync<InvalidDataException>(async () => await tight.ReadAsync(CancellationToken.None));
    }
}
