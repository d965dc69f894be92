using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Microsoft.AspNetCore.Http;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>Streams and answers survive what happens to their replicas.</summary>
public sealed class FailoverTests
{
    [Fact]
    public async Task A_stream_is_what_the_worker_sends_without_its_marks()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);
        var body = GatewayWorld.Chat(tokens: 12);

        var text = await world.StreamAsync(body);

        Assert.Equal(world.Expected(body), text);
        Assert.DoesNotContain("cluster", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(9)]
    [InlineData(14)]
    public async Task A_stream_survives_the_loss_of_its_replica_at_any_event(int lostAt)
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        Break(world.Workers, lostAt, times: 1);
        var body = GatewayWorld.Chat(tokens: 16, change: b => b["n"] = 2);

        var text = await world.StreamAsync(body);

        Assert.Equal(world.Expected(body), text);
        Assert.Equal(2, world.Workers.Sum(worker => worker.Calls.Count));
        var moved = await world.MetricAsync("cluster_gateway_failovers_total") + await world.MetricAsync("cluster_gateway_retries_total");
        Assert.Equal(1, moved);
    }

    [Fact]
    public async Task A_stream_survives_the_loss_of_one_replica_after_the_other()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 4);
        Break(world.Workers, lostAt: 3, times: 3);
        var body = GatewayWorld.Chat(tokens: 30);

        var text = await world.StreamAsync(body);

        Assert.Equal(world.Expected(body), text);
        Assert.Equal(4, world.Workers.Sum(worker => worker.Calls.Count));
    }

    [Fact]
    public async Task Many_streams_survive_the_end_of_a_process()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 3);
        var half = new CountdownEvent(32);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var worker in world.Workers)
        {
            worker.BeforeEvent = (_, number) =>
            {
                if (number == 5 && !gate.Task.IsCompleted)
                {
                    half.Signal();
                    return gate.Task;
                }

                return Task.CompletedTask;
            };
        }

        var bodies = Enumerable.Range(0, 32).Select(i => GatewayWorld.Chat($"request {i}", tokens: 24)).ToList();
        var streams = bodies.Select(world.StreamAsync).ToList();
        await Eventually.True(() => half.IsSet, "all streams are in the middle");
        var killed = world.Workers[1].KillAsync();
        gate.SetResult();
        await killed;
        var texts = await Task.WhenAll(streams);

        Assert.Equal(bodies.Select(world.Expected), texts);
    }

    [Fact]
    public async Task A_replica_that_is_silent_and_does_not_say_that_it_lives_is_replaced()
    {
        await using var world = await GatewayWorld.StartAsync(
            replicas: 2, options => options with { IdleTimeout = TimeSpan.FromMilliseconds(50) });
        var first = 0;
        foreach (var worker in world.Workers)
        {
            worker.BeforeEvent = (context, number) =>
            {
                if (number == 4 && Interlocked.Exchange(ref first, 1) == 0)
                {
                    worker.IsWell = () => Task.FromResult(false);
                    return Task.Delay(Timeout.Infinite, context.RequestAborted);
                }

                return Task.CompletedTask;
            };
        }

        var body = GatewayWorld.Chat(tokens: 12);

        Assert.Equal(await world.StreamAsync(body), world.Expected(body));
        Assert.Equal(1, (await world.MetricsAsync())["cluster_gateway_failovers_total{model=\"haiku\",reason=\"silent\"}"]);
    }

    [Fact]
    public async Task A_replica_that_is_slow_and_says_that_it_lives_is_waited_for()
    {
        await using var world = await GatewayWorld.StartAsync(
            replicas: 2, options => options with { IdleTimeout = TimeSpan.FromMilliseconds(20) });
        var asked = 0;
        foreach (var worker in world.Workers)
        {
            worker.IsWell = () =>
            {
                Interlocked.Increment(ref asked);
                return Task.FromResult(true);
            };
            worker.BeforeEvent = (_, number) => number == 2
                ? Eventually.True(() => Volatile.Read(ref asked) >= 3, "the gateway has asked")
                : Task.CompletedTask;
        }

        var body = GatewayWorld.Chat(tokens: 6);

        Assert.Equal(await world.StreamAsync(body), world.Expected(body));
        Assert.Equal(1, world.Workers.Sum(worker => worker.Calls.Count));
    }

    [Theory]
    [InlineData(": cluster x\ndata: {}\n\n")]
    [InlineData(": cluster 0 1\n: cluster 0 2\ndata: {}\n\n")]
    [InlineData("data: {\"no\":\"mark\"}\n\n")]
    [InlineData(": cluster 0 99\ndata: {\"torn\":")]
    [InlineData(": cluster -\ndata: {\"error\":{\"message\":\"broke\",\"type\":\"server_error\"}}\n\n")]
    public async Task A_replica_that_answers_garbage_is_replaced(string garbage)
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        var first = 0;
        foreach (var worker in world.Workers)
        {
            worker.Instead = async context =>
            {
                if (Interlocked.Exchange(ref first, 1) == 1)
                {
                    return false;
                }

                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync(garbage);
                return true;
            };
        }

        var body = GatewayWorld.Chat(tokens: 6);

        Assert.Equal(await world.StreamAsync(body), world.Expected(body));
    }

    [Fact]
    public async Task A_stream_whose_replicas_all_answer_garbage_ends_with_an_error_event()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        Fail(world, afterEvents: 3, context => context.Response.WriteAsync(": cluster x\ndata: {}\n\n"));

        using var response = await world.PostAsync(GatewayWorld.Chat(tokens: 20));
        var text = await response.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var events = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        var error = JsonNode.Parse(events[^2]["data: ".Length..])!["error"]!;
        Assert.Equal("replica_failed", (string?)error["code"]);
        Assert.Contains("the mark ': cluster x'", (string?)error["message"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(503)]
    [InlineData(500)]
    [InlineData(429)]
    [InlineData(403)]
    [InlineData(302)]
    public async Task A_replica_that_refuses_is_replaced_before_anything_was_sent(int status)
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        var first = 0;
        foreach (var worker in world.Workers)
        {
            worker.Instead = context =>
            {
                var refuses = Interlocked.Exchange(ref first, 1) == 0;
                context.Response.StatusCode = refuses ? status : StatusCodes.Status200OK;
                return Task.FromResult(refuses);
            };
        }

        var body = GatewayWorld.Chat(tokens: 6);

        Assert.Equal(await world.StreamAsync(body), world.Expected(body));
        Assert.Equal(1, await world.MetricAsync("cluster_gateway_retries_total"));
    }

    [Fact]
    public async Task The_requests_own_fault_is_passed_on_and_tried_nowhere_else()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        var calls = 0;
        foreach (var worker in world.Workers)
        {
            worker.Instead = async context =>
            {
                Interlocked.Increment(ref calls);
                context.Response.StatusCode = 400;
                await context.Response.WriteAsJsonAsync(new { error = new { message = "'top_p' is 2" } });
                return true;
            };
        }

        using var response = await world.PostAsync(GatewayWorld.Chat());

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("{\"error\":{\"message\":\"'top_p' is 2\"}}", await response.Content.ReadAsStringAsync());
        Assert.Equal(1, calls);
    }

    [Fact]
    public async Task An_answer_in_one_piece_is_asked_for_again_with_the_same_id_and_seed()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        Break(world.Workers, lostAt: 0, times: 1);
        var body = GatewayWorld.Chat(change: b => b["stream"] = false);

        using var response = await world.PostAsync(body);
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;

        Assert.Equal(world.Expected(body), (string?)answer["text"]);
        var calls = world.Workers.SelectMany(worker => worker.Calls).ToList();
        Assert.Equal(2, calls.Count);
        Assert.True(JsonNode.DeepEquals(calls[0], calls[1]));
    }

    [Fact]
    public async Task The_only_replica_is_waited_for_until_its_next_life()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);
        Break(world.Workers, lostAt: 5, times: 1);
        var body = GatewayWorld.Chat(tokens: 16);

        var stream = world.StreamAsync(body);
        await Eventually.True(
            async () => await world.MetricAsync("cluster_gateway_queue_length") == 1, "the stream waits for another replica");
        world.Server.Update<k8s.Models.V1Pod>(
            "ns", "haiku-0",
            pod => pod["status"]!["containerStatuses"] = new JsonArray(
                new JsonObject { ["name"] = "worker", ["restartCount"] = 1, ["image"] = "", ["imageID"] = "", ["ready"] = true }));

        Assert.Equal(await stream, world.Expected(body));
    }

    [Fact]
    public async Task A_stream_does_not_go_on_at_a_replica_of_another_template()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        world.Server.Update<k8s.Models.V1Pod>(
            "ns", "haiku-1", pod => pod["metadata"]!["labels"]![ApiNames.TemplateHashLabel] = "newer");
        await Eventually.True(
            () => world.Gateway.Replicas.Snapshot.Replicas.Select(replica => replica.Template).Distinct().Count() == 2,
            "the templates are known");
        var delivered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var worker in world.Workers)
        {
            worker.BeforeEvent = async (context, number) =>
            {
                if (number == 3)
                {
                    await delivered.Task;
                    context.Abort();
                    throw new InvalidOperationException("the connection is gone");
                }
            };
        }

        // Headers come with the first event.
        using var response = await world.PostAsync(GatewayWorld.Chat(tokens: 20));
        delivered.SetResult();
        var reading = response.Content.ReadAsStringAsync();
        await Eventually.True(
            async () => await world.MetricAsync("cluster_gateway_queue_length") == 1, "it waits for the next life of its replica");
        world.Server.Remove<k8s.Models.V1Pod>("ns", world.Workers[0].Calls.IsEmpty ? "haiku-1" : "haiku-0");
        var text = await reading;

        Assert.Equal(1, world.Workers.Sum(worker => worker.Calls.Count));
        Assert.Contains("the deployment was changed while it answered", text, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_leaves_ends_its_request_at_the_worker()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);
        var worker = world.Workers[0];
        worker.BeforeEvent = (context, number) => number == 3 ? Task.Delay(Timeout.Infinite, context.RequestAborted) : Task.CompletedTask;

        using (var response = await world.PostAsync(GatewayWorld.Chat(tokens: 100)))
        {
            var stream = await response.Content.ReadAsStreamAsync();
            await stream.ReadExactlyAsync(new byte[10]);
        }

        await Eventually.True(() => worker.Ended == 1, "the worker's request ends");
        await Eventually.True(
            async () => await world.MetricAsync("cluster_gateway_requests_in_flight") == 0, "the gateway counts it no more");
        Assert.Equal(1, (await world.MetricsAsync())["cluster_gateway_requests_total{model=\"haiku\",key=\"\",outcome=\"cancelled\"}"]);
    }

    [Fact]
    public async Task A_client_that_does_not_read_stops_the_worker_and_not_the_other_clients()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);
        var sent = 0;
        world.Workers[0].BeforeEvent = (_, _) =>
        {
            Interlocked.Increment(ref sent);
            return Task.CompletedTask;
        };

        // Far more than the buffers of all sockets on the way hold.
        const int Many = 400_000;
        using var stalled = await world.PostAsync(GatewayWorld.Chat("stalled", tokens: Many));
        var before = 0;
        await Eventually.True(
            async () =>
            {
                var now = Volatile.Read(ref sent);
                await Task.Delay(100);
                (var last, before) = (before, Volatile.Read(ref sent));
                return now > 0 && now == before && last == now;
            },
            "the worker has stopped sending");
        Assert.InRange(before, 1, Many / 2);

        var body = GatewayWorld.Chat("quick", tokens: 6);
        Assert.Equal(await world.StreamAsync(body), world.Expected(body));
    }

    [Fact]
    public async Task Retries_are_bounded()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 4, options => options with { MaxRetries = 2 });
        Break(world.Workers, lostAt: 0, times: 4);

        using var response = await world.PostAsync(GatewayWorld.Chat());

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(3, world.Workers.Sum(worker => worker.Calls.Count));
    }

    /// <summary>The next so many calls, whoever gets them, lose their connection at an event.</summary>
    private static void Break(IReadOnlyList<FakeWorker> workers, int lostAt, int times)
    {
        var left = times;
        foreach (var worker in workers)
        {
            worker.BeforeEvent = (context, number) =>
            {
                if (number == lostAt && Interlocked.Decrement(ref left) >= 0)
                {
                    context.Abort();
                    throw new InvalidOperationException("the connection is gone");
                }

                return Task.CompletedTask;
            };
        }
    }

    private static void Fail(GatewayWorld world, int afterEvents, Func<HttpContext, Task> failure)
    {
        foreach (var worker in world.Workers)
        {
            worker.BeforeEvent = async (context, number) =>
            {
                if (number == afterEvents)
                {
                    await failure(context);
                    await context.Response.Body.FlushAsync();
                }
            };
        }
    }
}
