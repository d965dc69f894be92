using System.Net;
using Cluster.Operator.Controller;
using Cluster.Operator.Gateway.Page;
using k8s.Models;

namespace Cluster.Operator.Tests.Gateway.Page;

public sealed class PageEventsTests
{
    [Fact]
    public async Task A_page_is_told_the_state_of_the_cluster_and_every_change()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddNodeAsync("n1");
        using var stream = await host.OpenAsync();

        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType!.MediaType);
        var first = await stream.UntilAsync(
            "cluster", data => (bool)data["isComplete"]! && data["cluster"]!["nodes"]!.AsArray().Count == 1);
        Assert.Equal("free", (string)first["cluster"]!["nodes"]![0]!["hives"]![0]!["gpus"]![0]!["state"]!);
        Assert.False((bool)first["mayKill"]!);

        await host.AddReplicaAsync("haiku-a");
        var second = await stream.UntilAsync(
            "cluster", data => (string)data["cluster"]!["nodes"]![0]!["hives"]![0]!["gpus"]![0]!["state"]! == "serving");

        Assert.Equal("ns/haiku-a", (string)second["cluster"]!["nodes"]![0]!["hives"]![0]!["gpus"]![0]!["replica"]!);
    }

    [Fact]
    public async Task Nobody_asks_the_api_server_before_a_page_is_open()
    {
        await using var host = await PageHost.StartAsync();
        Assert.Empty(host.Api.Calls);

        using var stream = await host.OpenAsync();
        await stream.UntilAsync("cluster", data => (bool)data["isComplete"]!);

        Assert.NotEmpty(host.Api.Calls);
    }

    [Fact]
    public async Task What_cannot_be_read_is_told_as_a_problem()
    {
        await using var host = await PageHost.StartAsync();
        host.Api.BeforeCall = (_, kind, _) =>
        {
            if (kind == "Node")
            {
                throw new Operator.Kubernetes.KubernetesException(403, "Forbidden", "nodes is forbidden");
            }
        };
        using var stream = await host.OpenAsync();

        var told = await stream.UntilAsync(
            "cluster", data => data["problems"]!.ToJsonString().Contains("forbidden", StringComparison.Ordinal));

        Assert.False((bool)told["isComplete"]!);
    }

    [Fact]
    public async Task Traffic_comes_whole_at_first_and_then_what_is_new()
    {
        await using var host = await PageHost.StartAsync();
        NamespacedName haiku = new("default", "haiku");
        host.Traffic.Started(new("a"), haiku, "haiku-0", "haiku", "team");
        using var stream = await host.OpenAsync();

        var first = await stream.UntilAsync("traffic", _ => true);
        Assert.Equal(0, (int)first["traffic"]!["firstSlot"]!);
        Assert.Equal("default/haiku", (string)first["traffic"]!["deployments"]![0]!["deployment"]!);
        Assert.Equal(("a", "running"), ((string)first["journal"]![0]!["id"]!, (string)first["journal"]![0]!["outcome"]!));

        host.Traffic.Tokens(new("a"), 5);
        host.Traffic.Moved(new("a"), "haiku-0", "haiku-1", 5, "connection reset");
        var second = await stream.UntilAsync("traffic", data => data["journal"]!.AsArray().Count > 0);

        var entry = Assert.Single(second["journal"]!.AsArray())!;
        Assert.Equal((5, "haiku-1"), ((int)entry["tokens"]!, (string)entry["hops"]![1]!["replica"]!));
    }

    [Fact]
    public async Task A_crowd_is_turned_away_and_a_place_becomes_free_when_somebody_goes()
    {
        await using var host = await PageHost.StartAsync();
        var streams = await Task.WhenAll(Enumerable.Range(0, PageEvents.MostClients).Select(_ => host.OpenAsync()));
        using var one = await host.OpenAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, one.Response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(10), one.Response.Headers.RetryAfter!.Delta);

        streams[0].Dispose();
        await Eventually.True(
            async () =>
            {
                using var another = await host.OpenAsync();
                return another.Response.StatusCode == HttpStatusCode.OK;
            },
            "a free place");
        Array.ForEach(streams, stream => stream.Dispose());
    }

    [Fact]
    public async Task Many_changes_at_once_are_few_events()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddReplicaAsync("haiku-a");
        using var stream = await host.OpenAsync();
        await stream.UntilAsync("cluster", data => (bool)data["isComplete"]!);

        const int Changes = 500;
        for (var i = 1; i <= Changes; i++)
        {
            var restarts = i;
            host.Api.Update<V1Pod>("ns", "haiku-a", pod => pod["metadata"]!["labels"]!["round"] = $"{restarts}");
        }

        await host.AddNodeAsync("last");
        var events = 0;
        await stream.UntilAsync("cluster", data =>
        {
            events++;
            return data["cluster"]!["nodes"]!.ToJsonString().Contains("last", StringComparison.Ordinal);
        });

        Assert.InRange(events, 1, Changes / 10);
    }
}
