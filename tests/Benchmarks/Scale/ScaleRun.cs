using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local;
using Cluster.Operator.Local.ApiServer;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;
using ModelDeployment = Cluster.Operator.Api.ModelDeployment;

namespace Cluster.Benchmarks.Scale;

/// <summary>One cluster of a given size: API server, nodes and kubelets in this process, the operator in another. Called by
/// <see cref="OperatorBenchmark"/>.</summary>
/// <remarks>
/// <code>
/// 1. warm up with a small deployment, so that the figures are not those of the just-in-time compiler
/// 2. apply all deployments at once; wait until every replica is ready and every status says so
/// 3. delete a tenth of the nodes, add as many under new names; wait for the same
/// </code>
/// </remarks>
internal sealed class ScaleRun : IAsyncDisposable
{
    private const int ReplicasADeployment = 80;
    private const string Namespace = "default";

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPhase = TimeSpan.FromMinutes(10);

    private readonly int _nodes;
    private readonly DirectoryInfo _folder;
    private readonly LocalApiServer _server;
    private readonly KubernetesClient _client;
    private readonly OperatorProcess _operator;
    private readonly FakeKubelets _kubelets;
    private readonly Informer<ModelDeployment> _deployments;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _following;
    private int _sharedGpus;

    private ScaleRun(int nodes, DirectoryInfo folder, LocalApiServer server, KubernetesClient client, OperatorProcess @operator)
    {
        _nodes = nodes;
        _folder = folder;
        _server = server;
        _client = client;
        _operator = @operator;
        _kubelets = new FakeKubelets(client);
        _deployments = new Informer<ModelDeployment>(client, Namespace, null, TimeProvider.System, Random.Shared, NullLogger.Instance);
        _following = _deployments.RunAsync(_stop.Token);
    }

    private int Replicas => _nodes * SimulatedNodes.GpusANode;

    private int Deployments => (Replicas + ReplicasADeployment - 1) / ReplicasADeployment;

    public static async Task<ScaleRun> StartAsync(int nodes, CancellationToken cancellationToken)
    {
        // A real server remembers five minutes of changes, and the whole run is shorter than that.
        var server = await LocalApiServer.StartAsync(new LocalApiServerOptions { HistoryLimit = 1 << 18 }, cancellationToken);
        var folder = Directory.CreateTempSubdirectory("cluster-scale-");
        var kubeconfig = Path.Combine(folder.FullName, "kubeconfig");
        server.WriteKubeconfig(kubeconfig);
        var client = KubernetesClient.Create(ClientConfiguration.Load(kubeconfig));
        await CrdInstaller.InstallAsync(client, cancellationToken);
        await SimulatedNodes.CreateAsync(client, Names("node", nodes), cancellationToken);
        return new ScaleRun(nodes, folder, server, client, OperatorProcess.Start(kubeconfig));
    }

    public async Task<ScaleResult> MeasureAsync(ProgressContext progress)
    {
        var cancellationToken = _stop.Token;
        await ApplyAsync("warm-up", ReplicasADeployment, cancellationToken);
        await WaitAsync(progress, "warming up", ReplicasADeployment, cancellationToken);
        await _client.DeleteAsync<ModelDeployment>(Namespace, "warm-up", null, null, cancellationToken);
        await WaitAsync(progress, "clearing away", 0, cancellationToken);

        var placing = await CostAsync(async () =>
        {
            var left = Replicas;
            foreach (var name in Names("model", Deployments))
            {
                await ApplyAsync(name, Math.Min(left, ReplicasADeployment), cancellationToken);
                left -= ReplicasADeployment;
            }

            await WaitAsync(progress, "placing", Replicas, cancellationToken);
        });

        var gone = _nodes / 10;
        var lost = 0;
        var repairing = await CostAsync(async () =>
        {
            foreach (var name in Names("node", gone))
            {
                lost += _kubelets.Vanish(name);
                await _client.DeleteAsync<V1Node>(null, name, null, null, cancellationToken);
            }

            await SimulatedNodes.CreateAsync(_client, Names("spare", gone), cancellationToken);
            await WaitAsync(progress, "repairing", Replicas, cancellationToken);
        });
        return new ScaleResult(_nodes, Deployments, Replicas, lost, placing, repairing, _operator.PeakMiB, _sharedGpus);
    }

    public async ValueTask DisposeAsync()
    {
        await _operator.DisposeAsync();
        await _stop.CancelAsync();
        await _following;
        await _kubelets.DisposeAsync();
        _client.Dispose();
        await _server.DisposeAsync();
        _stop.Dispose();
        _folder.Delete(recursive: true);
    }

    private static IEnumerable<string> Names(string stem, int count) =>
        Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"{stem}-{i:d4}"));

    private async Task<PhaseCost> CostAsync(Func<Task> phase)
    {
        var (requests, reconciles) = await _operator.CountsAsync(_stop.Token);
        var (cpu, simulation) = (_operator.CpuSeconds, Environment.CpuUsage.TotalTime);
        var started = Stopwatch.GetTimestamp();
        await phase();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        (cpu, simulation) = (_operator.CpuSeconds - cpu, Environment.CpuUsage.TotalTime - simulation);
        var total = await _operator.CountsAsync(_stop.Token);
        _sharedGpus += _kubelets.SharedGpus();
        return new PhaseCost(
            seconds, cpu, simulation.TotalSeconds, total.Reconciles - reconciles,
            total.Requests.ToDictionary(r => r.Key, r => r.Value - requests.GetValueOrDefault(r.Key)));
    }

    /// <summary>Until so many pods are ready and the deployments' statuses add up to as many.</summary>
    private async Task WaitAsync(ProgressContext progress, string phase, int replicas, CancellationToken cancellationToken)
    {
        var bar = progress.AddTask(
            string.Create(CultureInfo.InvariantCulture, $"{_nodes} nodes: {phase}"), maxValue: Math.Max(1, replicas));
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var reported = _deployments.Store.List().Sum(deployment => deployment.Status?.ReadyReplicas ?? 0);
            bar.Value = reported;
            if (_kubelets.Ready == replicas && reported == replicas && (replicas > 0 || _deployments.Store.List().Count == 0))
            {
                return;
            }

            if (_operator.HasExited || Stopwatch.GetElapsedTime(started) > LongestPhase)
            {
                throw new InvalidOperationException(
                    $"{phase} with {_nodes} nodes: {_kubelets.Ready} of {replicas} pods are ready and statuses say {reported}; the "
                    + $"operator {(_operator.HasExited ? "has ended" : "has not got there in time")}; its last "
                    + $"words:\n{_operator.LastLines}");
            }

            await Task.Delay(PollInterval, cancellationToken);
        }
    }

    private Task ApplyAsync(string name, int replicas, CancellationToken cancellationToken) => _client.CreateAsync<ModelDeployment>(
        new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = Namespace },
            ["spec"] = new JsonObject
            {
                ["model"] = new JsonObject { ["source"] = "file:///models/some-model" },
                ["replicas"] = replicas,
                ["tensorParallelSize"] = 1
            },
        },
        cancellationToken);
}
