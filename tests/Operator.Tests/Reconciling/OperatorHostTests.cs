using System.Text.Json.Nodes;
using Cluster.Common.Metrics;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Controller;
using k8s.Models;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>The operator as it runs: informers, queue and workers on their own threads.</summary>
public sealed class OperatorHostTests : IAsyncLifetime
{
    private readonly FakeKubernetesClient server = new();
    private readonly ManualTime time = new();
    private readonly CancellationTokenSource stop = new();
    private readonly MetricsRegistry metrics = new();
    private Task running = Task.CompletedTask;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running;
        stop.Dispose();
    }

    [Fact]
    public async Task Many_deployments_at_once_share_the_gpus_and_a_freed_gpu_wakes_who_waits()
    {
        for (int i = 0; i < 4; i++)
        {
            await server.CreateAsync<V1Node>(KubernetesJson.ToJsonObject(Given.Node($"n{i}")), CancellationToken.None);
        }

        Start();
        for (int i = 0; i < 9; i++)
        {
            await Apply($"d{i}", replicas: 2, gpus: 2);
        }

        // 32 GPUs are 16 replicas of two: somebody goes short.
        await Eventually.True(() => server.All<V1Pod>().Count == 16, "16 pods");
        await Eventually.True(() => Short().Count > 0, "a deployment reports the shortage");
        Assert.Equal(32, server.All<V1Pod>().Select(p => Replica.Of(p)).SelectMany(r => r.Gpus.Select(g => (r.Node, g))).Distinct().Count());

        string winner = Enumerable.Range(0, 9).Select(i => $"d{i}").First(d => !Short().Contains(d));
        await server.DeleteAsync<ModelDeployment>("ns", winner, null, null, CancellationToken.None);
        await Eventually.True(() => server.All<V1Pod>().Count(p => p.Metadata.DeletionTimestamp is not null) == 2, "its pods are ending");
        foreach (V1Pod pod in server.All<V1Pod>().Where(p => p.Metadata.DeletionTimestamp is not null))
        {
            server.Remove<V1Pod>("ns", pod.Metadata.Name);
        }

        await Eventually.True(() => server.Find<ModelDeployment>("ns", winner) is null, "it is let go");
        await Eventually.True(() => server.All<V1Pod>().Count == 16 && Short().Count == 0, "the others have all they want");
        Assert.Contains("controller_runtime_reconcile_total{controller=\"modeldeployment\",result=\"success\"}", metrics.Render(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_appears_wakes_who_waits()
    {
        Start();
        await Apply("late", replicas: 1, gpus: 1);
        await Eventually.True(() => Short().Contains("late"), "it waits");
        await server.CreateAsync<V1Node>(KubernetesJson.ToJsonObject(Given.Node("n1")), CancellationToken.None);
        await Eventually.True(() => server.All<V1Pod>().Count == 1, "its pod");
    }

    [Fact]
    public async Task With_leader_election_it_acts_only_once_it_leads()
    {
        await server.CreateAsync<V1Node>(KubernetesJson.ToJsonObject(Given.Node("n1")), CancellationToken.None);
        JsonObject lease = new() { ["metadata"] = new JsonObject { ["name"] = "operator", ["namespace"] = "system" }, ["spec"] = new JsonObject { ["holderIdentity"] = "other" } };
        await server.CreateAsync<V1Lease>(lease, CancellationToken.None);
        Start(new LeaderElectionOptions("system", "operator", "me"));
        await Apply("haiku", replicas: 1, gpus: 1);
        await Eventually.True(() => time.PendingTimers > 0, "it waits for the lease");
        Assert.DoesNotContain(server.Calls, c => c.StartsWith("list", StringComparison.Ordinal));
        server.Update<V1Lease>("system", "operator", l => l["spec"]!["holderIdentity"] = "");
        time.AdvanceToNextTimer();
        await Eventually.True(() => server.All<V1Pod>().Count == 1, "its pod");
    }

    private void Start(LeaderElectionOptions? election = null)
    {
        OperatorOptions options = new() { Worker = Given.Options, LeaderElection = election, Time = time, Metrics = metrics };
        running = Task.Run(() => OperatorHost.RunAsync(server, options, stop.Token));
    }

    private Task Apply(string name, int replicas, int gpus)
    {
        JsonObject manifest = KubernetesJson.ToJsonObject(Given.Deployment(name, s =>
        {
            s.Replicas = replicas;
            s.TensorParallelSize = gpus;
        }));
        return server.CreateAsync<ModelDeployment>(manifest, CancellationToken.None);
    }

    private List<string> Short() =>
        [.. server.All<ModelDeployment>().Where(d => d.Status?.Conditions?.Exists(c => c is { Type: "GpusAllocated", Status: "False", Reason: "InsufficientGpus" or "NoGpuNodes" }) == true).Select(d => d.Metadata.Name)];
}
