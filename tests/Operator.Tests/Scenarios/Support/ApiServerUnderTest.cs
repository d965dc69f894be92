using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;
using Cluster.Operator.Yaml;

[assembly: AssemblyFixture(typeof(ApiServerUnderTest))]

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>The API server that scenarios talk to, one for all of them, started when the first one asks: the cluster of the kubeconfig that
/// <c>CLUSTER_TEST_KUBECONFIG</c> names; else a kube-apiserver with etcd where <c>KUBEBUILDER_ASSETS</c> names a folder that holds both
/// (envtest's convention); else K3s in a container where a Docker engine answers; else local mode's own.</summary>
/// <remarks>No controller of kube-controller-manager runs beside a bare kube-apiserver, so what needs garbage collection asks
/// <see cref="HasControllers"/> first.</remarks>
public sealed class ApiServerUnderTest : IAsyncLifetime
{
    /// <summary>Names the folder with the programs kube-apiserver and etcd.</summary>
    public const string AssetsVariable = "KUBEBUILDER_ASSETS";

    /// <summary>Names the kubeconfig of a cluster to borrow.</summary>
    public const string KubeconfigVariable = "CLUSTER_TEST_KUBECONFIG";

    private readonly SemaphoreSlim _starting = new(1);
    private IAsyncDisposable? _server;
    private Task<ServerAccess>? _access;

    private static readonly Lazy<DockerEngine> Docker = new(() => Task.Run(() => DockerEngine.FindAsync()).GetAwaiter().GetResult());

    private static readonly Lazy<IReadOnlyList<ServerKind>> Order = new(
        () => ServerChoice.Order(Kubeconfig is not null, RealControlPlane.AssetsFolder is not null, () => Docker.Value));

    public static bool IsReal => Order.Value[0] != ServerKind.Local;

    /// <summary>Whether somebody collects garbage, ends namespaces and keeps disruption budgets.</summary>
    public static bool HasControllers => Order.Value[0] != ServerKind.Assets;

    /// <summary>Whether a scheduler is at work beside the tests'.</summary>
    public static bool HasScheduler => Order.Value[0] is ServerKind.Borrowed or ServerKind.K3s;

    /// <summary>What the server turned out to be.</summary>
    internal ServerKind Kind { get; private set; }

    /// <summary>Why it is not K3s.</summary>
    internal string WhyNotK3s { get; private set; } = "";

    private static string? Kubeconfig { get; } =
        Environment.GetEnvironmentVariable(KubeconfigVariable) is { Length: > 0 } path ? path : null;

    /// <summary>The server with the ModelDeployment CRD established.</summary>
    internal async Task<ServerAccess> AccessAsync()
    {
        await _starting.WaitAsync();
        try
        {
            // Started once: what failed to start would fail, and cost, as much for every other test.
            return await (_access ??= StartAsync());
        }
        finally
        {
            _starting.Release();
        }
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await DisposeServerAsync();
        _starting.Dispose();
    }

    /// <summary>Applies deploy/crds and waits until the kind is served.</summary>
    internal static async Task InstallDefinitionsAsync(ServerAccess access)
    {
        using var http = access.NewHttpClient();
        foreach (var manifest in Manifest.Load(Path.Combine(RepositoryRoot.Path, "deploy", "crds")))
        {
            var path = $"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{manifest.Name}";
            using var body = new StringContent(manifest.Object.ToJsonString(), Encoding.UTF8, "application/apply-patch+yaml");
            using var answer = await http.PatchAsync(new Uri($"{path}?fieldManager=tests&force=true", UriKind.Relative), body);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
            await Eventually.True(
                async () => IsEstablished(JsonNode.Parse(await http.GetStringAsync(new Uri(path, UriKind.Relative)))),
                $"{manifest.Name} is established");
        }
    }

    /// <summary>Read as it comes: the typed class does not take the <c>status.conditions: null</c> of a fresh definition.</summary>
    internal static bool IsEstablished(JsonNode? definition) =>
        definition?["status"]?["conditions"] is JsonArray conditions
        && conditions.Any(c => (string?)c!["type"] == "Established" && (string?)c["status"] == "True");

    private async Task<ServerAccess> StartAsync()
    {
        WhyNotK3s = Order.Value is [ServerKind.Local] ? Docker.Value.Problem! : "another one is named";
        foreach (var kind in Order.Value)
        {
            try
            {
                Kind = kind;
                var started = await StartAsync(kind);
                await InstallDefinitionsAsync(started);
                return started;
            }
            catch (Exception e) when (kind != Order.Value[^1])
            {
                // Docker may lack the image and a way to it, or the right to run privileged containers.
                WhyNotK3s = $"K3s did not start: {e.Message}";
                await DisposeServerAsync();
            }
        }

        throw new InvalidOperationException("there is always a server to try");
    }

    private async Task<ServerAccess> StartAsync(ServerKind kind)
    {
        switch (kind)
        {
            case ServerKind.Borrowed:
                var borrowed = await BorrowedCluster.StartAsync(Kubeconfig!);
                _server = borrowed;
                return borrowed.Access;
            case ServerKind.Assets:
                var real = await RealControlPlane.StartAsync(RealControlPlane.AssetsFolder!);
                _server = real;
                return real.Access;
            case ServerKind.K3s:
                var k3s = await K3sCluster.StartAsync();
                _server = k3s;
                return k3s.Access;
            default:
                var local = await LocalApiServer.StartAsync(
                    new LocalApiServerOptions { BookmarkInterval = TimeSpan.FromSeconds(1) }, CancellationToken.None);
                _server = local;
                return new ServerAccess(local.BaseAddress, local.CaCertificatePem, local.Token);
        }
    }

    private async Task DisposeServerAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
            _server = null;
        }
    }
}
