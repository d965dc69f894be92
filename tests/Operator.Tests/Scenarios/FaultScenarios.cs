using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>An API server that restarts, refuses, stalls and forgets; an operator that dies at any write.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class FaultScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task After_a_restart_of_the_server_the_operator_catches_up_with_what_it_missed()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 3);
        await cluster.UntilReadyAsync("llm", 3);
        cluster.Gateway.Down = true;
        await cluster.ScaleAsync("llm", 2);
        var deleted = cluster.Observer.Active("llm")[0];
        await cluster.Client.DeleteAsync<V1Pod>(cluster.Namespace, deleted.Name, deleted.Uid, null, CancellationToken.None);
        await cluster.ApplyAsync("late");
        await cluster.UntilAsync(() => cluster.Observer.Pod(deleted.Name) is null, "a pod goes unseen");
        cluster.Gateway.Down = false;
        await cluster.UntilReadyAsync("llm", 2);
        await cluster.UntilReadyAsync("late", 1);
    }

    [Fact]
    public async Task A_server_whose_history_was_compacted_is_listed_anew()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var lists = cluster.Gateway.Requests.Count(IsList);
        var expired = new ConcurrentDictionary<string, bool>();
        cluster.Gateway.OnRequest = r => r.IsWatch && expired.TryAdd(r.Path, true) ? new Fault(410) : null;
        cluster.Gateway.CutWatches();
        await cluster.ScaleAsync("llm", 1);
        await cluster.UntilReadyAsync("llm", 1);
        Assert.True(cluster.Gateway.Requests.Count(IsList) > lists);
        await cluster.ScaleAsync("llm", 3);
        await cluster.UntilReadyAsync("llm", 3);
    }

    [Fact]
    public async Task A_server_restored_to_an_earlier_history_is_listed_anew()
    {
        Assert.SkipWhen(ApiServerUnderTest.IsReal, "a second server at the same address is local mode's");
        await using var former = await LocalApiServer.StartAsync(new LocalApiServerOptions(), CancellationToken.None);
        await using var restored = await LocalApiServer.StartAsync(new LocalApiServerOptions(), CancellationToken.None);
        await using var before = await TestCluster.StartAsync(await WithDefinitionsAsync(former));
        await before.ApplyAsync("llm", replicas: 8);
        await before.UntilReadyAsync("llm", 8);

        await using var after = await TestCluster.StartAsync(
            await WithDefinitionsAsync(restored), withOperator: false, @namespace: before.Namespace);
        await after.ApplyAsync("llm", replicas: 2);
        before.Gateway.Retarget(after.Server);
        await after.UntilReadyAsync("llm", 2);
        await after.ScaleAsync("llm", 3);
        await after.UntilReadyAsync("llm", 3);
    }

    [Fact]
    public async Task Being_told_to_slow_down_is_obeyed_and_is_no_error()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        var refused = 0;
        cluster.Gateway.OnRequest = r =>
            r.IsWrite && Interlocked.Increment(ref refused) % 3 == 1 ? new Fault(429, RetryAfterSeconds: 0) : null;
        await cluster.ApplyAsync("llm", replicas: 4);
        await cluster.UntilReadyAsync("llm", 4);
        var metrics = PrometheusText.Parse(cluster.Operator.Metrics.Render());
        Assert.Equal(0, metrics.Value("controller_runtime_reconcile_errors_total", ("controller", "modeldeployment")));
        Assert.True(metrics.Sum("rest_client_requests_total", ("code", "429")) > 0);
    }

    [Fact]
    public async Task A_conflict_with_somebody_else_s_write_is_tried_again_and_is_no_error()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        var disturbances = 0;
        cluster.Gateway.BeforeForward = async r =>
        {
            // The finalizer is written with the version that was read: somebody writes in between, twice.
            if (r.Method == "PATCH" && r.Body.Contains("\"finalizers\"", StringComparison.Ordinal) && disturbances < 2)
            {
                disturbances++;
                await AnnotateAsync(cluster, $"disturbance-{disturbances}");
            }
        };
        await cluster.ApplyAsync("llm");
        await cluster.UntilReadyAsync("llm", 1);
        var metrics = PrometheusText.Parse(cluster.Operator.Metrics.Render());
        Assert.True(metrics.Value("controller_runtime_reconcile_total", ("controller", "modeldeployment"), ("result", "requeue")) > 0);
        Assert.Equal(0, metrics.Value("controller_runtime_reconcile_errors_total", ("controller", "modeldeployment")));
    }

    [Fact]
    public async Task A_server_that_fails_writes_is_tried_again_with_growing_pauses()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        var failures = 0;
        cluster.Gateway.OnRequest = r =>
            r.IsWrite && !r.IsEvent && !r.IsPodCreation && Interlocked.Increment(ref failures) <= 6 ? new Fault(500) : null;
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var metrics = PrometheusText.Parse(cluster.Operator.Metrics.Render());
        Assert.True(metrics.Value("workqueue_retries_total", ("name", "modeldeployment")) > 0);
    }

    [Fact]
    public async Task Watches_that_break_at_random_lose_nothing()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        var random = new Random(42);
        var gate = new Lock();
        cluster.Gateway.OnRequest = r =>
        {
            lock (gate)
            {
                if (r.IsWrite && random.Next(6) == 0)
                {
                    cluster.Gateway.CutWatches();
                }

                return null;
            }
        };
        await cluster.ApplyAsync("llm", replicas: 3);
        await cluster.UntilReadyAsync("llm", 3);
        await cluster.ApplyAsync("llm", replicas: 3, model: "file:///models/b");
        await cluster.UntilReadyAsync("llm", 3);
        await cluster.ScaleAsync("llm", 1);
        await cluster.UntilReadyAsync("llm", 1);
    }

    [Fact]
    public async Task A_stale_pod_cache_makes_no_pod_twice()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 1);
        await cluster.UntilReadyAsync("llm", 1);
        cluster.Gateway.OnRequest = r => r.IsWatch && r.Path == "/api/v1/pods" ? new Fault(0) : null;
        cluster.Gateway.CutWatches();
        await cluster.ScaleAsync("llm", 4);
        await cluster.UntilAsync(() => cluster.Observer.Pods.Count == 4, "the missing pods");
        for (var i = 0; i < 3; i++)
        {
            await ReconciledAgainAsync(cluster, i);
        }

        Assert.Equal(4, cluster.Observer.Pods.Count);
        cluster.Gateway.OnRequest = null;
        await cluster.UntilReadyAsync("llm", 4);
        Assert.Equal(4, cluster.Gateway.Requests.Count(r => r.IsPodCreation));
    }

    [Fact]
    public async Task A_slow_server_makes_no_pod_twice()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        var released = new TaskCompletionSource();
        cluster.Gateway.BeforeForward = r => r.IsPodCreation ? released.Task : Task.CompletedTask;
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.ApplyAsync("other", replicas: 1);
        await Eventually.True(() => cluster.Gateway.Requests.Count(r => r.IsPodCreation) == 2, "a pod of each is on its way");
        await cluster.ScaleAsync("llm", 3);
        released.SetResult();
        await cluster.UntilReadyAsync("llm", 3);
        await cluster.UntilReadyAsync("other", 1);
        Assert.Equal(4, cluster.Gateway.Requests.Count(r => r.IsPodCreation));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_operator_that_dies_at_any_write_is_succeeded_by_one_that_finishes_the_work(bool writeArrives)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, gpus: 2, withOperator: false);
        for (var fatal = 1; fatal <= 9; fatal++)
        {
            var writes = 0;
            var died = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using (var doomed = await cluster.StartOperatorAsync())
            {
                doomed.Gateway.OnRequest = r =>
                {
                    if (!r.IsWrite || Interlocked.Increment(ref writes) < fatal)
                    {
                        return null;
                    }

                    died.TrySetResult();
                    return new Fault(0, AnswerLost: writeArrives && writes == fatal);
                };
                await cluster.ApplyAsync("llm", replicas: 2, gpus: 2, model: $"file:///models/{fatal}");
                await died.Task.WaitAsync(TimeSpan.FromSeconds(60));
                await doomed.CrashAsync();
            }

            await using var successor = await cluster.StartOperatorAsync();
            await cluster.UntilReadyAsync("llm", 2);
        }
    }

    [Fact]
    public async Task A_converged_cluster_costs_no_write_whatever_stirs_around_it()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        await ReconciledAgainAsync(cluster, 0);
        var writes = cluster.Gateway.Writes.Count();
        await cluster.PatchNodeAsync(
            "n1", """{"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2030-01-01T00:00:00Z"}]}}""",
            "status");
        await cluster.PatchNodeAsync("n1", """{"metadata": {"labels": {"unrelated": "label"}}}""");
        for (var i = 1; i < 4; i++)
        {
            await ReconciledAgainAsync(cluster, i);
        }

        Assert.Equal(writes, cluster.Gateway.Writes.Count());
        await cluster.SingleEventAsync("AllReplicasReady");
    }

    private static bool IsList(GatewayRequest request) =>
        request is { Method: "GET", IsWatch: false } && request.Path.EndsWith("/pods", StringComparison.Ordinal);

    /// <summary>Touches the deployment where it means nothing and waits until the operator has looked at it.</summary>
    private static async Task ReconciledAgainAsync(TestCluster cluster, int round)
    {
        var before = Reconciles(cluster);
        await AnnotateAsync(cluster, $"round-{round}");
        await Eventually.True(() => Task.FromResult(Reconciles(cluster) > before), "it is reconciled again");
    }

    private static Task AnnotateAsync(TestCluster cluster, string text) => cluster.Client.PatchAsync<ModelDeployment>(
        cluster.Namespace, "llm", PatchType.Merge,
        new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { ["note"] = text } } }, null,
        CancellationToken.None);

    private static double Reconciles(TestCluster cluster) =>
        PrometheusText.Parse(cluster.Operator.Metrics.Render())
            .Sum("controller_runtime_reconcile_total", ("controller", "modeldeployment"));

    private static async Task<ServerAccess> WithDefinitionsAsync(LocalApiServer local)
    {
        var access = new ServerAccess(local.BaseAddress, local.CaCertificatePem, local.Token);
        await ApiServerUnderTest.InstallDefinitionsAsync(access);
        return access;
    }
}
