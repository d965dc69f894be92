using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Autoscaling;
using Cluster.Operator.Reconciling.Preloading;
using Cluster.Operator.Reconciling.Sizing;
using Cluster.Operator.Tests.Controller;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using WatchEventType = k8s.WatchEventType;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>A reconciler against a <see cref="FakeKubernetesClient"/>, step by step on one thread: the test decides when the
/// caches catch up, what the kubelet does and when time passes.</summary>
internal sealed class SimulatedCluster
{
    private readonly Random _random;
    private long _deploymentCursor;
    private long _podCursor;
    private long _nodeCursor;
    private long _serviceCursor;
    private long _budgetCursor;
    private long _accountCursor;

    public SimulatedCluster(int seed = 1)
    {
        _random = new Random(seed);
        Restart();
    }

    public FakeKubernetesClient Server { get; } = new();

    public ManualTime Time { get; } = new();

    public ObjectStore<ModelDeployment> Deployments { get; private set; } = new();

    public ObjectStore<V1Pod> Pods { get; private set; } = new();

    public ObjectStore<V1Node> Nodes { get; private set; } = new();

    public ObjectStore<V1Service> Services { get; private set; } = new();

    public ObjectStore<V1PodDisruptionBudget> Budgets { get; private set; } = new();

    public ObjectStore<V1ServiceAccount> Accounts { get; private set; } = new();

    /// <summary>Requests that each pod has running, by its address; a pod without does not answer.</summary>
    public Dictionary<string, int> LoadByAddress { get; } = [];

    /// <summary>Where the operator looks for models' configurations.</summary>
    public IModelConfigs Configs { get; set; } = new NoModelConfigs();

    public Fleet Fleet { get; private set; } = null!;

    /// <summary>Deployments that were woken because GPUs came free.</summary>
    public List<NamespacedName> Woken { get; } = [];

    public ModelDeploymentReconciler Reconciler { get; private set; } = null!;

    private WorkerLoads Loads => new(
        (uri, _) => LoadByAddress.TryGetValue(uri.Host, out var load)
            ? Task.FromResult(
                $"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{{model_name=\"m\"}} "
                + $"{load}\nvllm:num_requests_waiting 1 1700000000\nvllm:num_requests_running_total 99\n")
            : throw new HttpRequestException($"nobody at {uri}"),
        Time);

    /// <summary>What each pod answers at <c>/ready</c>, by its address; a pod without does not answer.</summary>
    public Dictionary<string, string> ReadyByAddress { get; } = [];

    /// <summary>Addresses that were asked whether they are ready.</summary>
    public List<string> Asked { get; } = [];

    private WrongWorkers Wrong => new(
        (uri, _) =>
        {
            Asked.Add(uri.Host);
            return ReadyByAddress.TryGetValue(uri.Host, out var body) && uri.AbsolutePath == "/ready"
                ? Task.FromResult(body)
                : throw new HttpRequestException($"nobody at {uri}");
        },
        Time);

    /// <summary>What the operator puts into pods. Heard of at the next start.</summary>
    public WorkerOptions WorkerOptions { get; set; } = Given.Options;

    /// <summary>What gateways have for every deployment.</summary>
    public Demand Demand { get; set; } = Demand.None;

    public AutoscalerLoop Autoscaler { get; private set; } = null!;

    /// <summary>A new operator process: everything it knew is gone, its caches hold what the server has now.</summary>
    public void Restart()
    {
        Deployments = new();
        Pods = new();
        Nodes = new();
        Services = new();
        Budgets = new();
        Accounts = new();
        _deploymentCursor = _podCursor = _nodeCursor = _serviceCursor = _budgetCursor = _accountCursor = 0;
        Fleet = new Fleet(Pods, Nodes, new PodsInFlight(Time), new GpuLedger([], []), Woken.Add);
        UnreadyNodes unready = new(Time);
        EventRecorder events = new(Server, "test", Time, _random, NullLogger.Instance);
        Autoscaler = new AutoscalerLoop(
            Deployments, Fleet.OwnedBy, new TestDemand(this), Loads, Woken.Add, Time, NullLogger.Instance);
        Reconciler = new ModelDeploymentReconciler(
            Server, Deployments, Nodes, unready,
            new SizeDecider(Configs, WorkerOptions, (gpu, requirements) => GpuClass.Of(Fleet.Nodes(), gpu, requirements)),
            new PodActions(Server, Fleet, events, _random), new PodClaims(Server, Fleet, events),
            new DeploymentObjects(
                new WorkerServices(Server, Services), new WorkerBudget(Server, Budgets), new WorkerAccount(Server, Accounts),
                new GpuClaim(Server), new GatewaySecret(Server, WorkerOptions.GatewayMasterKey, Time)),
            Loads, Wrong, new GpuMarks(Server, Nodes, Time),
            new StatusWriter(Server, events, Time), Autoscaler, new ForeignAutoscalers(Server, Time),
            new Preloader(Server, Pods, Fleet.Nodes), WorkerOptions, Time);
        Deliver();
    }

    public void Add(ModelDeployment deployment)
    {
        var manifest = KubernetesJson.ToJsonObject(deployment);
        manifest["metadata"]!.AsObject().Remove("resourceVersion");
        Server.CreateAsync<ModelDeployment>(manifest, CancellationToken.None);
    }

    public void Add(V1Node node) => Server.CreateAsync<V1Node>(KubernetesJson.ToJsonObject(node), CancellationToken.None);

    public void ChangeSpec(string name, Action<JsonObject> change) => Server.Update<ModelDeployment>("ns", name, d =>
    {
        change(d["spec"]!.AsObject());
        d["metadata"]!["generation"] = d["metadata"]!["generation"]!.GetValue<long>() + 1;
    });

    /// <summary>The caches catch up, by at most so many changes of each kind.</summary>
    public void Deliver(int limit = int.MaxValue)
    {
        _deploymentCursor = Deliver(Deployments, _deploymentCursor, limit, Reconciler.Observe);
        _nodeCursor = Deliver(Nodes, _nodeCursor, limit, Fleet.Observe);
        _serviceCursor = Deliver(Services, _serviceCursor, limit, null);
        _budgetCursor = Deliver(Budgets, _budgetCursor, limit, null);
        _accountCursor = Deliver(Accounts, _accountCursor, limit, null);
        DeliverPods(limit);
    }

    public void DeliverPods(int limit = int.MaxValue) => _podCursor = Deliver(Pods, _podCursor, limit, Fleet.Observe);

    public Task<ReconcileResult> Reconcile(string name = "haiku") =>
        Reconciler.ReconcileAsync(new NamespacedName("ns", name), CancellationToken.None);

    /// <summary>Reconciles and delivers until nothing changes any more.</summary>
    public async Task Settle(string name = "haiku")
    {
        long before;
        do
        {
            Deliver();
            before = Server.Version;
            await Reconcile(name);
        }
        while (Server.Version != before);

        Deliver();
    }

    /// <summary>Kubelets and operator do their work until nothing is left to do.</summary>
    public async Task Finish(string name = "haiku")
    {
        long before;
        do
        {
            before = Server.Version;
            await Settle(name);
            EndTerminatingPods();
            StartAllPods();
            await Settle(name);
        }
        while (Server.Version != before);
    }

    /// <summary>What the scheduler and the kubelet do with a pod that runs well.</summary>
    public void StartPod(string pod, bool ready = true) => Server.Update<V1Pod>("ns", pod, p =>
    {
        p["spec"]!["nodeName"] = p["metadata"]!["annotations"]?[ApiNames.GpuNodeAnnotation]?.DeepClone();
        p["status"] = new JsonObject
        {
            ["phase"] = "Running",
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = ready ? "True" : "False" }),
        };
    });

    public void StartAllPods()
    {
        foreach (var pod in Server.All<V1Pod>().Where(p => p.Metadata.DeletionTimestamp is null && p.Status?.Phase is null or "Pending"))
        {
            StartPod(pod.Metadata.Name);
        }
    }

    /// <summary>A worker that served is unready, runs on, and answers this at <c>/ready</c>.</summary>
    public void BecomeUnready(string pod, string address, string body)
    {
        ReadyByAddress[address] = body;
        Server.Update<V1Pod>("ns", pod, p => p["status"] = new JsonObject
        {
            ["phase"] = "Running",
            ["podIP"] = address,
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "False" }),
            ["containerStatuses"] = new JsonArray(new JsonObject
            {
                ["name"] = "worker",
                ["ready"] = false,
                ["started"] = true,
                ["restartCount"] = 0,
                ["state"] = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = "2026-01-01T00:00:00Z" } },
            }),
        });
    }

    public void FailPod(string pod) =>
        Server.Update<V1Pod>("ns", pod, p => p["status"] = new JsonObject { ["phase"] = "Failed", ["reason"] = "Evicted" });

    public void EndTerminatingPods()
    {
        foreach (var pod in Server.All<V1Pod>().Where(p => p.Metadata.DeletionTimestamp is not null))
        {
            Server.Remove<V1Pod>("ns", pod.Metadata.Name);
        }
    }

    public List<Replica> Replicas(string owner = "haiku") =>
        [.. Server.All<V1Pod>().Select(p => Replica.Of(p)).Where(r => r.OwnerUid == "uid-of-" + owner)];

    public ModelDeployment Deployment(string name = "haiku") =>
        KubernetesJson.Read<ModelDeployment>(Server.Find<ModelDeployment>("ns", name)!);

    public Condition Condition(string type, string name = "haiku") => Deployment(name).Status!.Conditions!.Single(c => c.Type == type);

    public List<string> Events() => [.. Server.All<Corev1Event>().Select(e => e.Reason)];

    /// <summary>Every GPU that two pods on the server may be using at once.</summary>
    public List<string> SharedGpus() =>
        [.. Server.All<V1Pod>().Select(p => Replica.Of(p)).Where(r => r.HoldsGpus)
            .SelectMany(r => r.Gpus.Select(g => $"{r.Node}/{g.ToString(CultureInfo.InvariantCulture)}"))
            .GroupBy(g => g).Where(g => g.Count() > 1).Select(g => g.Key)];

    private long Deliver<T>(ObjectStore<T> store, long cursor, int limit, Action<ObjectChange<T>>? handler)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        foreach ((var version, var change) in Server.Changes<T>(cursor, limit))
        {
            var deleted = change.Type == WatchEventType.Deleted;
            var before = deleted ? store.Remove(NamespacedName.Of(change.Object)) : store.Put(change.Object);
            handler?.Invoke(
                new ObjectChange<T>(
                    deleted ? ChangeType.Deleted : before is null ? ChangeType.Added : ChangeType.Updated, before, change.Object));
            cursor = version;
        }

        return cursor;
    }

    private sealed class TestDemand(SimulatedCluster cluster) : IDemandSource
    {
        public Task<IReadOnlyDictionary<NamespacedName, Demand>> ReadAsync(
            IReadOnlyCollection<NamespacedName> deployments, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyDictionary<NamespacedName, Demand>>(deployments.ToDictionary(d => d, _ => cluster.Demand));
    }
}
