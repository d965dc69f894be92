using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Controller;

public sealed class InformerTests : IAsyncLifetime
{
    private readonly FakeKubernetesClient _server = new();
    private readonly ManualTime _time = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _seen = new();
    private readonly Informer<V1Node> _informer;
    private Task _running = Task.CompletedTask;

    public InformerTests()
    {
        _informer = new Informer<V1Node>(_server, null, null, _time, new Random(1), NullLogger.Instance);
        _informer.OnChange(c => _seen.Enqueue($"{c.Type} {c.Object.Metadata.Name}{(c.Missed ? " missed" : "")}"));
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    [Fact]
    public async Task Lists_first_and_then_follows_the_watch()
    {
        await Create("a");
        await Start();
        await Create("b");
        _server.Update<V1Node>(null, "a", n => n["metadata"]!["labels"] = new JsonObject { ["x"] = "y" });
        _server.Remove<V1Node>(null, "b");
        await Seen("Added a", "Added b", "Updated a", "Deleted b");
        Assert.Equal("y", _informer.Store.Get(new NamespacedName("", "a"))!.Metadata.Labels!["x"]);
        Assert.Null(_informer.Store.Get(new NamespacedName("", "b")));
    }

    [Fact]
    public async Task Is_synced_only_after_the_first_list_was_handled()
    {
        var failures = 2;
        _server.BeforeCall = (verb, _, _) =>
        {
            if (verb == "list" && failures-- > 0)
            {
                throw new KubernetesException(500, "InternalError", "not yet");
            }
        };
        await Create("a");
        Run();
        await PassBackoff();
        Assert.False(_informer.HasSynced);
        await PassBackoff();
        await _informer.WhenSynced;
        Assert.True(_informer.HasSynced);
        await Seen("Added a");
    }

    [Fact]
    public async Task After_the_stream_ends_it_watches_on_from_where_it_was()
    {
        await Create("a");
        await Start();
        _server.CutWatches();
        await Create("b");
        await PassBackoff();
        await Seen("Added a", "Added b");
        Assert.Equal(1, _server.Calls.Count(c => c.StartsWith("list", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_broken_connection_is_not_the_end()
    {
        await Start();
        _server.CutWatches(new IOException("connection reset"));
        await Create("a");
        await PassBackoff();
        await Seen("Added a");
    }

    [Fact]
    public async Task When_its_version_is_gone_it_lists_again_and_reports_what_it_missed()
    {
        await Create("stays");
        await Create("changes");
        await Create("goes");
        await Start();
        await Seen("Added stays", "Added changes", "Added goes");
        _server.HoldEvents = true;
        _server.CutWatches();
        _server.Remove<V1Node>(null, "goes");
        _server.Update<V1Node>(null, "changes", n => n["metadata"]!["labels"] = new JsonObject { ["x"] = "y" });
        await Create("comes");
        _server.Compact();
        _server.HoldEvents = false;
        await PassBackoff(); // → 410
        await PassBackoff(); // → list
        await Seen("Deleted goes missed", "Updated changes", "Added comes");
        Assert.Equal(3, _informer.Store.List().Count);
    }

    [Fact]
    public async Task An_object_made_again_under_its_name_while_away_is_a_deletion_and_an_addition()
    {
        await Create("a");
        await Start();
        await Seen("Added a");
        _server.CutWatches();
        _server.Remove<V1Node>(null, "a");
        await Create("a");
        _server.Compact();
        await PassBackoff();
        await PassBackoff();
        await Seen("Deleted a missed", "Added a");
    }

    [Fact]
    public async Task A_bookmark_moves_the_version_on_without_a_change()
    {
        await Start();
        _server.SendBookmark<V1Node>();
        _server.SendBookmark<V1Node>();
        await Create("a");
        await Seen("Added a");
        _server.CutWatches();
        _server.Compact();
        await Create("b");
        await Seen("Added b"); // Without a pause: the stream had worked.
        Assert.Equal(1, _server.Calls.Count(c => c.StartsWith("list", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_handler_that_throws_stops_neither_the_others_nor_the_store()
    {
        _informer.OnChange(_ => throw new InvalidOperationException("broken"));
        _informer.OnChange(c => _seen.Enqueue("second " + c.Object.Metadata.Name));
        await Start();
        await Create("a");
        await Seen("Added a", "second a");
    }

    [Fact]
    public async Task Indexes_follow_the_objects()
    {
        _informer.Store.AddIndex("zone", n => n.Metadata.Labels is { } labels ? [labels["zone"]] : []);
        await Create("a", "x");
        await Create("b", "x");
        await Start();
        Assert.Equal(["a", "b"], Zone("x"));
        _server.Update<V1Node>(null, "a", n => n["metadata"]!["labels"]!["zone"] = "y");
        _server.Remove<V1Node>(null, "b");
        await Eventually.True(() => Zone("x").Count == 0, "both left zone x");
        Assert.Equal(["a"], Zone("y"));
    }

    private List<string> Zone(string zone) => [.. _informer.Store.ByIndex("zone", zone).Select(n => n.Metadata.Name).Order()];

    private Task Create(string name, string? zone = null)
    {
        JsonObject metadata = new() { ["name"] = name };
        if (zone is not null)
        {
            metadata["labels"] = new JsonObject { ["zone"] = zone };
        }

        return _server.CreateAsync<V1Node>(new JsonObject { ["metadata"] = metadata }, CancellationToken.None);
    }

    private void Run() => _running = Task.Run(() => _informer.RunAsync(_stop.Token));

    private async Task Start()
    {
        Run();
        await Eventually.True(() => _server.Watchers == 1, "the watch is open");
    }

    private async Task PassBackoff()
    {
        await Eventually.True(() => _time.PendingTimers == 1, "the informer pauses");
        _time.AdvanceToNextTimer();
    }

    private async Task Seen(params string[] changes)
    {
        foreach (var change in changes)
        {
            await Eventually.True(() => _seen.Contains(change), change + "; seen: " + string.Join(", ", _seen));
        }
    }
}
