using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>What happens around the gateway: the API server goes, gateways stop, there are several.</summary>
public sealed class FaultTests
{
    [Fact]
    public async Task While_the_API_server_is_away_it_serves_with_what_it_knows()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        world.Server.BeforeCall = (_, _, _) => throw new KubernetesException(0, "", "connection refused");
        world.Server.CutWatches(new IOException("connection reset"));

        for (var i = 0; i < 4; i++)
        {
            var body = GatewayWorld.Chat($"r{i}");
            Assert.Equal(await world.StreamAsync(body), world.Expected(body));
        }

        using var ready = await world.Client.GetAsync(new Uri(world.Gateway.InternalAddress, "/ready"));
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
    }

    [Fact]
    public async Task A_gateway_that_stops_lets_streams_finish()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Workers[0].BeforeEvent = (_, number) =>
        {
            if (number == 2)
            {
                begun.TrySetResult();
                return gate.Task;
            }

            return Task.CompletedTask;
        };
        var body = GatewayWorld.Chat();
        var stream = world.StreamAsync(body);
        await begun.Task;

        var draining = world.Gateway.DrainAsync();
        await Eventually.True(async () => await StatusAsync(world, "/ready") == HttpStatusCode.ServiceUnavailable, "it is unready");
        gate.SetResult();

        Assert.Equal(await stream, world.Expected(body));
        await draining;
    }

    [Fact]
    public async Task Streams_that_do_not_finish_in_time_end_with_an_error_event_and_leave_nothing_at_the_worker()
    {
        await using var world = await GatewayWorld.StartAsync(
            1, options => options with { ShutdownTimeout = TimeSpan.FromMilliseconds(50) });
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Workers[0].BeforeEvent = (context, number) =>
        {
            if (number == 2)
            {
                begun.TrySetResult();
                return Task.Delay(Timeout.Infinite, context.RequestAborted);
            }

            return Task.CompletedTask;
        };
        using var response = await world.PostAsync(GatewayWorld.Chat());
        var reading = response.Content.ReadAsStringAsync();
        await begun.Task;

        await world.Gateway.DrainAsync();

        var events = (await reading).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        Assert.Equal("unavailable", (string?)JsonNode.Parse(events[^2]["data: ".Length..])!["error"]!["code"]);
        await Eventually.True(() => world.Workers[0].Ended == 1, "the worker's request has ended");
    }

    [Fact]
    public async Task Two_gateways_serve_the_same_replicas_and_one_may_go()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        var second = await world.StartGatewayAsync();
        var body = GatewayWorld.Chat("both");

        using (var response = await world.PostAsync(body, gateway: second))
        {
            Assert.Equal(await response.Content.ReadAsStringAsync(), world.Expected(body));
        }

        await world.Gateway.DrainAsync();
        var after = GatewayWorld.Chat("after");
        using var later = await world.PostAsync(after, gateway: second);
        Assert.Equal(await later.Content.ReadAsStringAsync(), world.Expected(after));
    }

    [Fact]
    public async Task Shared_beginnings_go_to_one_replica_and_round_robin_spreads_them()
    {
        await using var prefix = await GatewayWorld.StartAsync(replicas: 4);
        await using var turns = await GatewayWorld.StartAsync(
            4, options => options with { Routing = Operator.Gateway.Routing.RoutingPolicy.RoundRobin });
        var system = new string('s', 1000);
        for (var i = 0; i < 12; i++)
        {
            await prefix.StreamAsync(GatewayWorld.Chat($"{system}{i}"));
            await turns.StreamAsync(GatewayWorld.Chat($"{system}{i}"));
        }

        Assert.Equal([0, 0, 0, 12], prefix.Workers.Select(worker => worker.Calls.Count).Order());
        Assert.Equal([3, 3, 3, 3], turns.Workers.Select(worker => worker.Calls.Count));
        var known = (await prefix.MetricsAsync())["cluster_gateway_prefix_blocks_total{model=\"haiku\",known=\"yes\"}"];
        Assert.InRange(known, 11 * 15, 11 * 17);
    }

    [Fact]
    public async Task Load_that_others_bring_counts()
    {
        await using var world = await GatewayWorld.StartAsync(
            2, options => options with { Routing = Operator.Gateway.Routing.RoutingPolicy.LeastLoaded });
        world.Workers[0].Metrics = "vllm:num_requests_running{model_name=\"haiku\"} 30\nvllm:num_requests_waiting 10\n";
        world.Workers[1].Metrics = "vllm:num_requests_running{model_name=\"haiku\"} 0\n";
        var services = world.Gateway.Services;
        await Eventually.True(
            () => world.Gateway.Replicas.Snapshot.Replicas.All(replica => services.States.Of(replica).Load is not null)
                && world.Gateway.Replicas.Snapshot.Replicas.Any(replica => services.States.Of(replica).ForeignRequests == 40),
            "the metrics are read");

        for (var i = 0; i < 5; i++)
        {
            await world.StreamAsync(GatewayWorld.Chat($"r{i}"));
        }

        Assert.Equal([0, 5], world.Workers.Select(worker => worker.Calls.Count));
    }

    private static async Task<HttpStatusCode> StatusAsync(GatewayWorld world, string path)
    {
        using var response = await world.Client.GetAsync(new Uri(world.Gateway.InternalAddress, path));
        return response.StatusCode;
    }
}
