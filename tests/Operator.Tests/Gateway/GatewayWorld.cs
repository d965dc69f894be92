using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local.Kubelet;
using Cluster.Operator.Tests.Controller;
using Cluster.Operator.Tests.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>A gateway over real sockets, an API server in memory and fake workers at loopback addresses of their own.</summary>
internal sealed class GatewayWorld : IAsyncDisposable
{
    private static readonly byte[] Master = Encoding.ASCII.GetBytes("a master key for tests, not a secret");

    private readonly LoopbackNetwork _network = LoopbackNetwork.Acquire();
    private readonly List<FakeWorker> _workers = [];
    private readonly List<GatewayHost> _gateways = [];

    public FakeKubernetesClient Server { get; } = new();

    public GatewayHost Gateway => _gateways[0];

    public HttpClient Client { get; } = new() { Timeout = TimeSpan.FromMinutes(1) };

    public IReadOnlyList<FakeWorker> Workers => _workers;

    public static string DemandKey => GatewayKey.DeriveDemand(Master);

    public static string KeyOf(string name) => GatewayKey.Derive(Master, "ns", name, $"uid-of-{name}");

    /// <summary>A deployment with ready replicas, and a gateway that knows them.</summary>
    public static async Task<GatewayWorld> StartAsync(int replicas, Func<GatewayOptions, GatewayOptions>? change = null)
    {
        var world = new GatewayWorld();
        await world.AddDeploymentAsync("haiku");
        for (var i = 0; i < replicas; i++)
        {
            await world.AddReplicaAsync("haiku");
        }

        await world.StartGatewayAsync(change);
        return world;
    }

    /// <summary>One more gateway.</summary>
    public async Task<GatewayHost> StartGatewayAsync(Func<GatewayOptions, GatewayOptions>? change = null)
    {
        var options = new GatewayOptions { MasterKey = Master, Port = 0, GrpcPort = 0, InternalPort = 0, IsLocal = true };
        var gateway = await GatewayHost.StartAsync(Server, change?.Invoke(options) ?? options, CancellationToken.None);
        _gateways.Add(gateway);
        await gateway.Replicas.WhenSynced;
        var (deployments, pods) = (Server.All<ModelDeployment>().Count, Server.All<V1Pod>().Count);
        await Eventually.True(
            () => gateway.Replicas.Snapshot.Deployments.Count == deployments && gateway.Replicas.Snapshot.Replicas.Count() == pods,
            "the gateway knows all replicas");
        return gateway;
    }

    public Task AddDeploymentAsync(string name, Action<ModelDeploymentSpec>? change = null, ModelDeploymentStatus? status = null)
    {
        var deployment = Given.Deployment(name, change);
        deployment.Status = status;
        return Server.CreateAsync<ModelDeployment>(KubernetesJson.ToJsonObject(deployment), CancellationToken.None);
    }

    /// <summary>A ready pod with a fake worker in it.</summary>
    public async Task<FakeWorker> AddReplicaAsync(string deployment)
    {
        var address = _network.Take();
        var worker = await FakeWorker.StartAsync(address, KeyOf(deployment));
        var pod = Given.Pod($"{deployment}-{_workers.Count}", owner: $"uid-of-{deployment}");
        pod.Status.PodIP = address;
        await Server.CreateAsync<V1Pod>(KubernetesJson.ToJsonObject(pod), CancellationToken.None);
        _workers.Add(worker);
        return worker;
    }

    public static JsonObject Chat(string text = "hello", int tokens = 8, Action<JsonObject>? change = null)
    {
        var body = new JsonObject
        {
            ["model"] = "haiku",
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text }),
            ["max_tokens"] = tokens,
            ["stream"] = true,
        };
        change?.Invoke(body);
        return body;
    }

    public Task<HttpResponseMessage> PostAsync(
        JsonObject body, string path = "/v1/chat/completions", string? key = null, GatewayHost? gateway = null,
        Action<HttpRequestMessage>? change = null, CancellationToken cancellationToken = default)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, new Uri((gateway ?? Gateway).HttpAddress, path))
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        if (key is not null)
        {
            message.Headers.Authorization = new("Bearer", key);
        }

        change?.Invoke(message);
        return Client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>The whole stream as text.</summary>
    public async Task<string> StreamAsync(JsonObject body)
    {
        using var response = await PostAsync(body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        return text;
    }

    /// <summary>What an undisturbed worker would have streamed for the request that the workers saw last.</summary>
    public string Expected(JsonObject body)
    {
        var envelope = _workers.SelectMany(worker => worker.Calls)
            .First(call => JsonNode.DeepEquals(call["request"], body));
        return FakeWorker.Expected(body, (string)envelope["id"]!, (long)envelope["created"]!, (int)envelope["seed"]!);
    }

    /// <summary>Values of the gateway's metrics page, by name and labels.</summary>
    public async Task<IReadOnlyDictionary<string, double>> MetricsAsync()
    {
        var page = await Client.GetStringAsync(new Uri(Gateway.InternalAddress, "/metrics"));
        return page.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#').ToDictionary(
            line => line[..line.LastIndexOf(' ')],
            line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
    }

    public async Task<double> MetricAsync(string name) =>
        (await MetricsAsync()).Where(sample => sample.Key == name || sample.Key.StartsWith(name + '{', StringComparison.Ordinal))
            .Sum(sample => sample.Value);

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in _gateways)
        {
            await gateway.DisposeAsync();
        }

        foreach (var worker in _workers)
        {
            await worker.DisposeAsync();
        }

        Client.Dispose();
        _network.Dispose();
    }
}
