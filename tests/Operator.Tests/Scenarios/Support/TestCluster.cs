using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Autoscaling;
using Cluster.Operator.Tests.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>A scenario's own corner of the API server: a namespace, GPU nodes that only its deployments may use, kubelets,
/// an observer, and any number of operators. Scenarios so can run side by side on one server.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private const string NodeLabel = "scenario";

    private readonly List<OperatorUnderTest> _operators = [];

    private TestCluster(ServerAccess server, string @namespace)
    {
        Server = server;
        Namespace = @namespace;
        Client = KubernetesClient.Create(server.ToConfiguration());
        Observer = new ClusterObserver(Client, Namespace);
        Kubelet = new FakeKubelet(Client, Observer);
    }

    public ServerAccess Server { get; }

    public string Namespace { get; }

    /// <summary>The administrator, straight to the server.</summary>
    public KubernetesClient Client { get; }

    public ClusterObserver Observer { get; }

    public FakeKubelet Kubelet { get; }

    /// <summary>The first operator.</summary>
    public OperatorUnderTest Operator => _operators[0];

    /// <summary>Of the first operator.</summary>
    public FaultyGateway Gateway => _operators[0].Gateway;

    /// <summary>With nodes n1, n2, … of eight GPUs in one hive unless told otherwise, and one operator.</summary>
    /// <param name="namespace">Null for one of its own.</param>
    public static async Task<TestCluster> StartAsync(
        ServerAccess server, int nodes = 1, int gpus = 8, bool withOperator = true, string? @namespace = null)
    {
        var cluster = new TestCluster(server, @namespace ?? $"s-{Guid.NewGuid():N}"[..12]);
        await cluster.Client.CreateAsync<V1Namespace>(
            new JsonObject { ["metadata"] = new JsonObject { ["name"] = cluster.Namespace } }, CancellationToken.None);
        for (var i = 1; i <= nodes; i++)
        {
            await cluster.AddNodeAsync($"n{i}", gpus);
        }

        cluster.Observer.Start();
        if (withOperator)
        {
            await cluster.StartOperatorAsync();
        }

        return cluster;
    }

    /// <param name="fault">Of its gateway from the first request on.</param>
    public async Task<OperatorUnderTest> StartOperatorAsync(
        LeaderElectionOptions? election = null, TimeProvider? time = null, Func<GatewayRequest, Fault?>? fault = null,
        GatewayAccess? gateways = null)
    {
        var one = await OperatorUnderTest.StartAsync(Server, Namespace, election, time, fault, gateways);
        _operators.Add(one);
        return one;
    }

    /// <summary>The full name of node <paramref name="name"/>; node names are not namespaced.</summary>
    public string Node(string name) => $"{Namespace}-{name}";

    public async Task AddNodeAsync(string name, int gpus = 8)
    {
        var node = Given.Node(Node(name), gpus);
        await Client.CreateAsync<V1Node>(
            new JsonObject
            {
                ["metadata"] = new JsonObject
                {
                    ["name"] = Node(name),
                    ["labels"] = new JsonObject { [NodeLabel] = Namespace },
                    ["annotations"] = JsonSerializer.SerializeToNode(node.Metadata.Annotations),
                },
            },
            CancellationToken.None);

        // A real server's TaintNodesByCondition admission taints every new node until a node controller, absent here, sees it ready.
        await PatchNodeAsync(name, """{"spec": {"taints": null}}""");
        await Kubelet.SetNodeReadyAsync(Node(name), "True");
    }

    public Task PatchNodeAsync(string name, string patch, string? subresource = null) =>
        Client.PatchAsync<V1Node>(null, Node(name), PatchType.Merge, JsonNode.Parse(patch)!, subresource, CancellationToken.None);

    /// <summary><c>kubectl apply --server-side</c>, until the observer has seen it: else it might take the state before for the one
    /// wanted.</summary>
    public async Task<ModelDeployment> ApplyAsync(
        string name, int replicas = 1, int gpus = 1, string model = "file:///models/a", string? rollout = null,
        Action<JsonObject>? change = null)
    {
        var applied = await Client.ApplyAsync<ModelDeployment>(
            Manifest(name, replicas, gpus, model, rollout, change), "user", force: true, subresource: null, CancellationToken.None);
        await UntilAsync(
            () => Observer.Deployment(name)?.Metadata.Generation >= applied.Metadata.Generation,
            $"the observer sees generation {applied.Metadata.Generation} of {name}");
        return applied;
    }

    public JsonObject Manifest(
        string name, int replicas = 1, int gpus = 1, string model = "file:///models/a", string? rollout = null,
        Action<JsonObject>? change = null)
    {
        JsonObject spec = new()
        {
            ["model"] = new JsonObject { ["source"] = model },
            ["replicas"] = replicas,
            ["tensorParallelSize"] = gpus,
            ["gpu"] = new JsonObject { ["nodeSelector"] = new JsonObject { [NodeLabel] = Namespace } },
        };
        if (rollout is not null)
        {
            spec["rollout"] = JsonNode.Parse(rollout);
        }

        change?.Invoke(spec);
        return new JsonObject
        {
            ["apiVersion"] = ResourceDefinition.Of<ModelDeployment>().ApiVersion,
            ["kind"] = ApiNames.Kind,
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = Namespace },
            ["spec"] = spec,
        };
    }

    /// <summary>As <see cref="ApplyAsync"/>'s change: what the worker of a replica requests beside GPUs.</summary>
    public static Action<JsonObject> Requesting(string requests) => spec => spec["podTemplate"] = JsonNode.Parse(
        $$$"""{"spec": {"containers": [{"name": "worker", "resources": {"requests": {{{requests}}} } }]} }""");

    /// <summary>A kubelet's or a controller's warning about a pod.</summary>
    public Task WarnAsync(V1Pod pod, string reason, string message, string at = "2030-01-01T00:00:00Z") =>
        Client.CreateAsync<Corev1Event>(
            new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = $"{pod.Metadata.Name}.{Guid.NewGuid():N}", ["namespace"] = Namespace },
                ["involvedObject"] = new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "Pod",
                    ["namespace"] = Namespace,
                    ["name"] = pod.Metadata.Name,
                    ["uid"] = pod.Metadata.Uid,
                },
                ["type"] = "Warning",
                ["reason"] = reason,
                ["message"] = message,
                ["lastTimestamp"] = at,
            },
            CancellationToken.None);

    /// <summary>What a scheduler says of a pod that it puts nowhere.</summary>
    public Task SetUnschedulableAsync(V1Pod pod, string message) => Client.PatchAsync<V1Pod>(
        Namespace, pod.Metadata.Name, PatchType.Merge,
        new JsonObject
        {
            ["status"] = new JsonObject
            {
                ["conditions"] = new JsonArray(new JsonObject
                {
                    ["type"] = "PodScheduled",
                    ["status"] = "False",
                    ["reason"] = PodProblem.Unschedulable,
                    ["message"] = message,
                }),
            },
        },
        "status", CancellationToken.None);

    /// <summary><c>kubectl scale</c>: the scale subresource.</summary>
    public Task ScaleAsync(string name, int replicas) => Client.PatchAsync<ModelDeployment>(
        Namespace, name, PatchType.Merge, new JsonObject { ["spec"] = new JsonObject { ["replicas"] = replicas } }, "scale",
        CancellationToken.None);

    public Task DeleteAsync(string name) => Client.DeleteAsync<ModelDeployment>(Namespace, name, null, null, CancellationToken.None);

    public Task UntilAsync(Func<bool> condition, string what) => Observer.UntilAsync(condition, what);

    /// <summary>Until the replicas are there and ready, all of the present template, no other is left, and the status says so.</summary>
    public Task UntilReadyAsync(string name, int replicas) => UntilAsync(
        () =>
            IsSettled(name) && Observer.Ready(name) == replicas && Observer.Pods.Count(p => ClusterObserver.BelongsTo(p, name)) == replicas
            && Observer.Deployment(name)!.Status is { } status && status.ReadyReplicas == replicas && status.UpdatedReplicas == replicas
            && (status.Placements ?? []).Select(p => p.Pod).ToHashSet().SetEquals(Observer.Active(name).Select(r => r.Name)),
        $"{name} has {replicas} ready replicas");

    public Task UntilConditionAsync(string name, string type, string status, string? reason = null) => UntilAsync(
        () => Observer.Condition(name, type) is { } c && c.Status == status && (reason is null || c.Reason == reason),
        $"{type} of {name} is {status} {reason}");

    /// <summary>The operator has seen the newest spec and wants nothing more.</summary>
    public bool IsSettled(string name) =>
        Observer.Deployment(name) is { } deployment
        && deployment.Status?.ObservedGeneration == deployment.Metadata.Generation
        && Observer.Condition(name, "Progressing")?.Status == "False";

    /// <summary>Events follow what they are about; so waits for the one, which must stay the only one and be counted once.</summary>
    public async Task SingleEventAsync(string reason)
    {
        await Eventually.True(async () => (await EventsAsync(reason)).Count > 0, $"an event {reason}");
        Assert.Equal(1, (int?)Assert.Single(await EventsAsync(reason))["count"]);
    }

    /// <summary>Those about deployments; a kubelet's about pods may have the same reason.</summary>
    public async Task<IReadOnlyList<JsonObject>> EventsAsync(string reason)
    {
        var events = await Client.ListAsync<Corev1Event>(Namespace, null, CancellationToken.None);
        return [.. events.Items.Select(KubernetesJson.ToJsonObject).Where(
            e => (string?)e["reason"] == reason && (string?)e["involvedObject"]?["kind"] == ApiNames.Kind)];
    }

    /// <exception cref="Xunit.Sdk.XunitException">A GPU was held by two pods at any moment of the scenario.</exception>
    public async ValueTask DisposeAsync()
    {
        foreach (var one in _operators)
        {
            await one.DisposeAsync();
        }

        await Kubelet.DisposeAsync();
        await Observer.DisposeAsync();
        foreach (var node in (await Client.ListAsync<V1Node>(
            null, new Selection($"{NodeLabel}={Namespace}"), CancellationToken.None)).Items)
        {
            await Client.DeleteAsync<V1Node>(null, node.Metadata.Name, null, null, CancellationToken.None);
        }

        Client.Dispose();
        Assert.Empty(Observer.DoubleBookings);
    }
}
