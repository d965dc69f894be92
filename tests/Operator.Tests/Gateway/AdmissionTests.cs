using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>Who waits, who is refused, and what a client is told.</summary>
public sealed class AdmissionTests
{
    [Fact]
    public async Task An_unknown_model_is_refused_with_the_list_of_those_there_are()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);
        await world.AddDeploymentAsync("llama", spec => spec.Model.ServedName = "meta/llama-8b");
        await Eventually.True(() => world.Gateway.Replicas.Snapshot.Models.Count == 2, "both are known");

        using var response = await world.PostAsync(GatewayWorld.Chat(change: b => b["model"] = "gpt-5"));
        var error = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["error"]!;

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("the model 'gpt-5' does not exist; there are: haiku, meta/llama-8b", (string?)error["message"]);
        Assert.Equal("model_not_found", (string?)error["code"]);
    }

    [Fact]
    public async Task The_list_of_models_has_their_states()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        await world.AddDeploymentAsync("llama", spec => spec.Replicas = 0);
        await world.AddDeploymentAsync(
            "mistral", spec => (spec.Replicas, spec.Autoscaling) = (0, new AutoscalingSpec { MinReplicas = 0, MaxReplicas = 2 }));
        await Eventually.True(() => world.Gateway.Replicas.Snapshot.Models.Count == 3, "all are known");

        var list = JsonNode.Parse(await world.Client.GetStringAsync(new Uri(world.Gateway.HttpAddress, "/v1/models")))!;

        Assert.Equal(
            ["haiku ready", "llama stopped", "mistral idle"],
            list["data"]!.AsArray().Select(card => $"{card!["id"]} {card["state"]}"));
        var one = JsonNode.Parse(await world.Client.GetStringAsync(new Uri(world.Gateway.HttpAddress, "/v1/models/haiku")))!;
        Assert.Equal(2, (int)one["deployments"]![0]!["ready_replicas"]!);
    }

    [Fact]
    public async Task A_request_waits_for_room_and_then_has_it()
    {
        await using var world = await GatewayWorld.StartAsync(1, options => options with { MaxRequestsPerReplica = 2 });
        var gate = Hold(world);
        var streams = Enumerable.Range(0, 5).Select(i => world.StreamAsync(GatewayWorld.Chat($"r{i}"))).ToList();
        await Eventually.True(
            async () => await world.MetricAsync("cluster_gateway_queue_length") == 3
                && await world.MetricAsync("cluster_gateway_requests_in_flight") == 2, "two run and three wait");

        gate.SetResult();

        Assert.All(await Task.WhenAll(streams), text => Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_full_queue_refuses_and_says_when_to_come_again()
    {
        await using var world = await GatewayWorld.StartAsync(
            1, options => options with { MaxRequestsPerReplica = 1, MaxQueue = 1 });
        var gate = Hold(world);
        var running = world.StreamAsync(GatewayWorld.Chat("running"));
        await Eventually.True(async () => await world.MetricAsync("cluster_gateway_requests_in_flight") == 1, "one runs");
        var waiting = world.StreamAsync(GatewayWorld.Chat("waiting"));
        await Eventually.True(async () => await world.MetricAsync("cluster_gateway_queue_length") == 1, "one waits");

        using var response = await world.PostAsync(GatewayWorld.Chat("refused"));

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        gate.SetResult();
        await Task.WhenAll(running, waiting);
    }

    [Fact]
    public async Task A_request_that_has_waited_too_long_is_refused()
    {
        await using var world = await GatewayWorld.StartAsync(
            1, options => options with { MaxRequestsPerReplica = 1, QueueTimeout = TimeSpan.FromMilliseconds(100) });
        var gate = Hold(world);
        var running = world.StreamAsync(GatewayWorld.Chat("running"));
        await Eventually.True(async () => await world.MetricAsync("cluster_gateway_requests_in_flight") == 1, "one runs");

        using var response = await world.PostAsync(GatewayWorld.Chat("late"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Contains("all replicas are busy", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        gate.SetResult();
        await running;
    }

    [Fact]
    public async Task A_client_that_leaves_the_queue_is_forgotten()
    {
        await using var world = await GatewayWorld.StartAsync(1, options => options with { MaxRequestsPerReplica = 1 });
        var gate = Hold(world);
        var running = world.StreamAsync(GatewayWorld.Chat("running"));
        await Eventually.True(async () => await world.MetricAsync("cluster_gateway_requests_in_flight") == 1, "one runs");
        using var leaves = new CancellationTokenSource();
        var left = world.PostAsync(GatewayWorld.Chat("leaves"), cancellationToken: leaves.Token);
        await Eventually.True(async () => await world.MetricAsync("cluster_gateway_queue_length") == 1, "one waits");

        await leaves.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        await Eventually.True(async () => await world.MetricAsync("cluster_gateway_queue_length") == 0, "nobody waits");
        gate.SetResult();
        await running;
    }

    [Fact]
    public async Task A_request_for_a_model_without_replicas_waits_for_the_first_one()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 0);
        var body = GatewayWorld.Chat();
        var stream = world.StreamAsync(body);
        await Eventually.True(async () => await world.MetricAsync("cluster_gateway_queue_length") == 1, "it waits");
        var demand = await DemandAsync(world);
        Assert.Equal((1, 0), ((int)demand["queued"]!, (int)demand["running"]!));
        Assert.True((long)demand["outstandingTokens"]! >= 8);

        await world.AddReplicaAsync("haiku");

        Assert.Equal(await stream, world.Expected(body));
        await Eventually.True(async () => (double?)(await DemandAsync(world))["secondsSinceLastRequest"] > 0, "time passes");
    }

    [Fact]
    public async Task Without_a_replica_in_time_the_client_is_told_why_in_the_words_of_the_conditions()
    {
        await using var world = await GatewayWorld.StartAsync(
            0, options => options with { ColdStartTimeout = TimeSpan.FromMilliseconds(100) });
        world.Server.Update<ModelDeployment>(
            "ns", "haiku",
            deployment => deployment["status"] = new JsonObject
            {
                ["conditions"] = new JsonArray(new JsonObject
                {
                    ["type"] = "GpusAllocated",
                    ["status"] = "False",
                    ["message"] = "no node has 4 free GPUs"
                }),
            });
        await Eventually.True(() => world.Gateway.Replicas.Snapshot.Deployments[0].Trouble.Length > 0, "the condition is known");

        using var response = await world.PostAsync(GatewayWorld.Chat());

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Contains("GpusAllocated: no node has 4 free GPUs", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_nobody_will_start_is_refused_at_once()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 0);
        world.Server.Update<ModelDeployment>("ns", "haiku", deployment => deployment["spec"]!["replicas"] = 0);
        await Eventually.True(() => !world.Gateway.Replicas.Snapshot.Deployments[0].IsWaking, "the replicas are known");

        using var response = await world.PostAsync(GatewayWorld.Chat());

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Contains("its replicas are 0", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Deployments_of_one_name_get_requests_by_their_weights()
    {
        await using var world = await GatewayWorld.StartAsync(1, options => options with { Random = new Random(5) });
        world.Server.Update<ModelDeployment>("ns", "haiku", d => d["spec"]!["routing"] = new JsonObject { ["weight"] = 90 });
        await world.AddDeploymentAsync(
            "canary", spec => (spec.Model.ServedName, spec.Routing) = ("haiku", new RoutingSpec { Weight = 10 }));
        await world.AddReplicaAsync("canary");
        await Eventually.True(
            () => world.Gateway.Replicas.Snapshot.OfModel("haiku") is { Count: 2 } both
                && both.All(d => d.Weight is not null && d.ReadyReplicas == 1),
            "both are known");

        for (var i = 0; i < 200; i++)
        {
            await world.StreamAsync(GatewayWorld.Chat($"r{i}", tokens: 1));
        }

        Assert.InRange(world.Workers[1].Calls.Count, 8, 35);
        Assert.Equal(200, world.Workers.Sum(worker => worker.Calls.Count));
    }

    [Fact]
    public async Task Keys_are_asked_for_counted_and_kept_from_workers()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "keys.yaml");
        await File.WriteAllTextAsync(
            file,
            "keys: [{key: sk-a, name: team-a}, {key: sk-b, name: team-b, models: [other]}, "
            + "{key: sk-c, name: team-c, requestsPerMinute: 1}]");
        await using var world = await GatewayWorld.StartAsync(1, options => options with { ApiKeysFile = file });

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(null));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("sk-a"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("sk-b"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("sk-c"));
        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync("sk-c"));

        var headers = world.Workers[0].Headers.First();
        Assert.DoesNotContain("Authorization", headers.Keys);
        Assert.NotNull((string?)world.Workers[0].Calls.First()["keyId"]);
        var metrics = await world.MetricsAsync();
        Assert.Equal(1, metrics["cluster_gateway_requests_total{model=\"haiku\",key=\"team-a\",outcome=\"completed\"}"]);
        Assert.Equal(8, metrics["cluster_gateway_tokens_total{model=\"haiku\",key=\"team-a\",kind=\"generated\"}"]);
        Assert.Equal(7, metrics["cluster_gateway_tokens_total{model=\"haiku\",key=\"team-a\",kind=\"prompt\"}"]);
        Assert.Equal(1, metrics["cluster_gateway_refusals_total{key=\"team-c\",reason=\"requests_per_minute\"}"]);

        async Task<HttpStatusCode> StatusAsync(string? key)
        {
            using var response = await world.PostAsync(GatewayWorld.Chat(), key: key);
            await response.Content.ReadAsStringAsync();
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task A_client_may_send_neither_internal_headers_nor_other_content_types_nor_large_bodies()
    {
        await using var world = await GatewayWorld.StartAsync(1, options => options with { MaxRequestBytes = 1000 });

        using var header = await world.PostAsync(
            GatewayWorld.Chat(), change: message => message.Headers.Add("X-Cluster-Gateway-Key", GatewayWorld.KeyOf("haiku")));
        using var type = await world.PostAsync(
            GatewayWorld.Chat(), change: message => message.Content!.Headers.ContentType = new("application/vnd.cluster.request+json"));
        using var large = await world.PostAsync(GatewayWorld.Chat(new string('x', 1000)));

        Assert.Equal(HttpStatusCode.Forbidden, header.StatusCode);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, type.StatusCode);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
        Assert.Empty(world.Workers[0].Calls);
    }

    [Fact]
    public async Task The_demand_is_told_to_the_operator_only()
    {
        await using var world = await GatewayWorld.StartAsync(1);

        using var response = await world.Client.GetAsync(new Uri(world.Gateway.InternalAddress, "/internal/demand"));
        using var open = await world.Client.GetAsync(new Uri(world.Gateway.HttpAddress, "/internal/demand"));

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, open.StatusCode);
    }

    [Fact]
    public async Task Other_requests_pass_through_and_leave_a_dead_replica_for_the_next()
    {
        await using var world = await GatewayWorld.StartAsync(2);
        await world.Workers[0].KillAsync();

        for (var i = 0; i < 4; i++)
        {
            using var response = await world.PostAsync(new JsonObject { ["model"] = "haiku", ["prompt"] = "x" }, "/tokenize");
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Contains("\"tokens\":[1,2]", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    private static async Task<JsonNode> DemandAsync(GatewayWorld world)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, new Uri(world.Gateway.InternalAddress, "/internal/demand"));
        message.Headers.Add(GatewayKey.Header, GatewayWorld.DemandKey);
        using var response = await world.Client.SendAsync(message);
        var demand = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.NotEmpty((string?)demand["gateway"] ?? "");
        return demand["deployments"]!.AsArray().Single(d => (string?)d!["name"] == "haiku" && (string?)d["namespace"] == "ns")!;
    }

    /// <summary>No worker sends anything before this is set.</summary>
    private static TaskCompletionSource Hold(GatewayWorld world)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var worker in world.Workers)
        {
            worker.BeforeEvent = (_, _) => gate.Task;
        }

        return gate;
    }
}
