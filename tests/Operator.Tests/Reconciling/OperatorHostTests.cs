using System.Text.Json.Nodes;
using Cluster.Common.Metrics;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Controller;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>The operator as it runs: informers, queue and workers on their own threads.</summary>
public sealed class OperatorHostTests : IAsyncLifetime
{
    private readonly FakeKubernetesClient _server = new();
    private readonly ManualTime _time = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly MetricsRegistry _metrics = new();
    private Task _running = Task.CompletedTask;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    [Fact]
    public async Task Many_deployments_at_once_share_the_gpus_and_a_freed_gpu_wakes_who_waits()
    {
        for (var i = 0; i < 4; i++)
        {
            await _server.CreateAsync<V1Node>(KubernetesJson.ToJsonObject(Given.Node($"n{i}")), CancellationToken.None);
        }

        Start();
        for (var i = 0; i < 9; i++)
        {
            await Apply($"d{i}", replicas: 2, gpus: 2);
        }

        // 32 GPUs are 16 replicas of two: somebody goes short.
        await Eventually.True(() => _server.All<V1Pod>().Count == 16, "16 pods");
        await Eventually.True(() => Short().Count > 0, "a deployment reports the shortage");
        Assert.Equal(
            32, _server.All<V1Pod>().Select(p => Replica.Of(p)).SelectMany(r => r.Gpus.Select(g => (r.Node, g))).Distinct().Count());

        var winner = Enumerable.Range(0, 9).Select(i => $"d{i}").First(d => !Short().Contains(d));
        await _server.DeleteAsync<ModelDeployment>("ns", winner, null, null, CancellationToken.None);
        await Eventually.True(() => _server.All<V1Pod>().Count(p => p.Metadata.DeletionTimestamp is not null) == 2, "its pods are ending");
        foreach (var pod in _server.All<V1Pod>().Where(p => p.Metadata.DeletionTimestamp is not null))
        {
            _server.Remove<V1Pod>("ns", pod.Metadata.Name);
        }

        await Eventually.True(() => _server.Find<ModelDeployment>("ns", winner) is null, "it is let go");
        await Eventually.True(() => _server.All<V1Pod>().Count == 16 && Short().Count == 0, "the others have all they want");
        Assert.Contains(
            "controller_runtime_reconcile_total{controller=\"modeldeployment\",result=\"success\"}", _metrics.Render(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_appears_wakes_who_waits()
    {
        Start();
        await Apply("late", replicas: 1, gpus: 1);
        await Eventually.True(() => Short().Contains("late"), "it waits");
        await _server.CreateAsync<V1Node>(KubernetesJson.ToJsonObject(Given.Node("n1")), CancellationToken.None);
        await Eventually.True(() => _server.All<V1Pod>().Count == 1, "its pod");
    }

    [Fact]
    public async Task With_leader_election_it_acts_only_once_it_leads()
    {
        await _server.CreateAsync<V1Node>(KubernetesJson.ToJsonObject(Given.Node("n1")), CancellationToken.None);
        JsonObject lease = new()
        {
            ["metadata"] = new JsonObject { ["name"] = "operator", ["namespace"] = "system" },
            ["spec"] = new JsonObject { ["holderIdentity"] = "other" }
        };
        await _server.CreateAsync<V1Lease>(lease, CancellationToken.None);
        Start(new LeaderElectionOptions("system", "operator", "me"));
        await Apply("haiku", replicas: 1, gpus: 1);
        await Eventually.True(() => _time.PendingTimers > 0, "it waits for the lease");
        Assert.DoesNotContain(_server.Calls, c => c.StartsWith("list", StringComparison.Ordinal));
        _server.Update<V1Lease>("system", "operator", l => l["spec"]!["holderIdentity"] = "");
        _time.AdvanceToNextTimer();
        await Eventually.True(() => _server.All<V1Pod>().Count == 1, "its pod");
    }

    private void Start(LeaderElectionOptions? election = null)
    {
        OperatorOptions options = new() { Worker = Given.Options, LeaderElection = election, Time = _time, Metrics = _metrics };
        _running = Task.Run(() => OperatorHost.RunAsync(_server, options, _stop.Token));
    }

    private Task Apply(string name, int replicas, int gpus)
    {
        var manifest = KubernetesJson.ToJsonObject(Given.Deployment(name, s =>
        {
            s.Replicas = replicas;
            s.TensorParallelSize = gpus;
        }));
        return _server.CreateAsync<ModelDeployment>(manifest, CancellationToken.None);
    }

    private List<string> Short() =>
        [.. _server.All<ModelDeployment>()
            .Where(
                d => d.Status?.Conditions?.Exists(
                    c => c is { Type: "GpusAllocated", Status: "False", Reason: "InsufficientGpus" or "NoGpuNodes" }) == true)
                    .Select(d => d.Metadata.Name)];
}
