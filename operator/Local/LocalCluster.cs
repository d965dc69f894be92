using System.Net;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Local.Kubelet;
using Cluster.Operator.Manifests;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Autoscaling;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Local;

/// <summary>
/// A Kubernetes cluster of one machine, in this process and the worker processes it starts:
/// <code>
/// LocalApiServer ← KubernetesClient ← operator      (the same code as on a real cluster, over HTTPS)
///                                   ← LocalScheduler
///                                   ← LocalNode → worker processes
///                                   ← gateway   → worker processes
/// </code>
/// Everything listens on loopback and nothing is left when it is disposed.
/// </summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    public const string NodeName = "local";

    /// <summary>Stands for the worker's image in pods; the node runs the worker program for it.</summary>
    private const string WorkerImage = "cluster-worker:local";

    private const string KfdRoot = "/sys";
    private const int DefaultGpus = 8;

    private readonly CancellationTokenSource _stopOperator = new();
    private readonly CancellationTokenSource _stopScheduler = new();
    private readonly Stack<IAsyncDisposable> _resources = new();
    private Task _operating = Task.CompletedTask;
    private Task _scheduling = Task.CompletedTask;

    private LocalCluster(ClusterFolder folder, IReadOnlyList<GpuDevice> gpus, string device)
    {
        Folder = folder;
        Gpus = gpus;
        Device = device;
        Kubeconfig = Path.Combine(folder.Path, "kubeconfig");
    }

    /// <summary>For kubectl: cluster, token and CA of this run.</summary>
    public string Kubeconfig { get; }

    public KubernetesClient Client { get; private set; } = null!;

    /// <summary>GPUs of the node, simulated or not.</summary>
    public IReadOnlyList<GpuDevice> Gpus { get; }

    /// <summary>What workers compute on: the value of their <c>--device</c>.</summary>
    public string Device { get; }

    /// <summary>What operator and gateways of this cluster share.</summary>
    public byte[] MasterKey { get; private set; } = [];

    /// <summary>One address for all models.</summary>
    public GatewayHost Gateway { get; private set; } = null!;

    /// <summary>Completes when the operator ends by itself, which it should not.</summary>
    public Task Operating => _operating;

    private ClusterFolder Folder { get; }

    /// <summary>Starts API server, node, scheduler and operator. On failure what was started is stopped again.</summary>
    public static async Task<LocalCluster> StartAsync(LocalClusterOptions options, CancellationToken cancellationToken)
    {
        var gpus = FindGpus(options.SimulatedGpus);

        // A GPU that is only a name computes nothing.
        var device = options.Device ?? (gpus.Any(gpu => gpu.Simulated) ? "cpu" : "auto");
        var program = WorkerProgram.Resolve(options.Worker, options.WorkerHost, device);
        var cluster = new LocalCluster(ClusterFolder.Create(), gpus, device);
        try
        {
            await cluster.StartPartsAsync(options, program, cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The gateway stops first, so that streams end with a word; then the operator, so that nothing replaces the pods; then every
    /// process, then the API server.</summary>
    public async ValueTask DisposeAsync()
    {
        await (Gateway?.DrainAsync() ?? Task.CompletedTask);
        await _stopOperator.CancelAsync();
        await _operating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopScheduler.CancelAsync();
        await _scheduling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (_resources.TryPop(out var resource))
        {
            await resource.DisposeAsync();
        }

        Folder.Dispose();
        _stopOperator.Dispose();
        _stopScheduler.Dispose();
    }

    private async Task StartPartsAsync(LocalClusterOptions options, WorkerProgram program, CancellationToken cancellationToken)
    {
        var network = LoopbackNetwork.Acquire();
        _resources.Push(new Owned(network));
        var logs = new NodeLogs();
        var sessions = new NodeSessions();
        var server = await LocalApiServer.StartAsync(
            new LocalApiServerOptions
            {
                Port = options.ApiPort,
                PodLogs = logs,
                PodSessions = sessions,
                AllowedHosts = options.AllowedHosts,
                FillsNamespaces = true,
            },
            cancellationToken);
        _resources.Push(server);
        server.WriteKubeconfig(Kubeconfig);

        Client = KubernetesClient.Create(ClientConfiguration.Load(Kubeconfig));
        _resources.Push(new Owned(Client));
        await CrdInstaller.InstallAsync(Client, cancellationToken);

        var time = TimeProvider.System;
        var secrets = new SecretReader(Client);
        var prober = new Prober();
        _resources.Push(new Owned(prober));
        var folders = HostFolders.ForModels(options.ModelsFolder);
        MasterKey = GatewayKey.NewMaster();
        var killer = new ReplicaKiller();
        Gateway = await LocalGateway.StartAsync(Client, options, MasterKey, killer, cancellationToken);
        _resources.Push(Gateway);
        var operatorOptions = new OperatorOptions
        {
            Gateways = new GatewayAccess(MasterKey) { Urls = [Gateway.InternalAddress] },
            Worker = new WorkerOptions(WorkerImage)
            {
                GatewayMasterKey = MasterKey,

                // Its workers are processes of whoever runs it: they read what they may read, and no more.
                Policy = new PodPolicy { Allowed = options.PodPrivileges, ModelPathPrefixes = ["/"] }
            },
            ModelConfigs = new FolderModelConfigs(folders.Map, options.HubConfigs),
            Logging = options.Logging,
        };
        var node = new LocalNode(NodeName, new NodeServices(
            Client,
            network,
            new PodVolumes(folders, Path.Combine(Folder.Path, "volumes")),
            new Dictionary<string, WorkerProgram> { [WorkerImage] = program },
            secrets.Read,
            new PodEvents(Client, time, options.Logging.CreateLogger("cluster.local.events")).Record,
            prober,
            IPAddress.Loopback.ToString(),
            time,
            options.Logging.CreateLogger("cluster.local.node")));
        (logs.Node, sessions.Node, killer.Node) = (node, node, node);
        _resources.Push(node);

        await node.StartAsync(Gpus, cancellationToken);
        var scheduler = new LocalScheduler(
            Client, Client.BindAsync, NodeName, time, options.Logging.CreateLogger("cluster.local.scheduler"));
        _scheduling = scheduler.RunAsync(_stopScheduler.Token);
        _operating = OperatorHost.RunAsync(Client, operatorOptions, _stopOperator.Token);
    }

    private static IReadOnlyList<GpuDevice> FindGpus(int? simulated)
    {
        if (simulated is { } count)
        {
            return SimulatedGpus.Make(count);
        }

        var real = KfdTopology.Read(KfdRoot);
        return real.Count > 0 ? real : SimulatedGpus.Make(DefaultGpus);
    }

    private sealed class Owned(IDisposable resource) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            resource.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
