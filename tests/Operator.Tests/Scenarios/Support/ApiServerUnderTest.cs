using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;
using Cluster.Operator.Yaml;

[assembly: AssemblyFixture(typeof(ApiServerUnderTest))]

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>The API server that scenarios talk to, one for all of them, started when the first one asks: the cluster of the kubeconfig that
/// <c>CLUSTER_TEST_KUBECONFIG</c> names; else a kube-apiserver with etcd where <c>KUBEBUILDER_ASSETS</c> names a folder that holds both
/// (envtest's convention); else local mode's own.</summary>
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

    public static bool IsReal => Kind != ServerKind.Local;

    /// <summary>Whether somebody collects garbage, ends namespaces and keeps disruption budgets.</summary>
    public static bool HasControllers => Kind != ServerKind.Assets;

    private static string? Kubeconfig { get; } =
        Environment.GetEnvironmentVariable(KubeconfigVariable) is { Length: > 0 } path ? path : null;

    private static ServerKind Kind { get; } =
        Kubeconfig is not null ? ServerKind.Borrowed
        : RealControlPlane.AssetsFolder is not null ? ServerKind.Assets
        : ServerKind.Local;

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
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

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
        ServerAccess started;
        if (Kubeconfig is { } kubeconfig)
        {
            var borrowed = await BorrowedCluster.StartAsync(kubeconfig);
            (_server, started) = (borrowed, borrowed.Access);
        }
        else if (RealControlPlane.AssetsFolder is { } folder)
        {
            var real = await RealControlPlane.StartAsync(folder);
            (_server, started) = (real, real.Access);
        }
        else
        {
            var local = await LocalApiServer.StartAsync(
                new LocalApiServerOptions { BookmarkInterval = TimeSpan.FromSeconds(1) }, CancellationToken.None);
            (_server, started) = (local, new ServerAccess(local.BaseAddress, local.CaCertificatePem, local.Token));
        }

        await InstallDefinitionsAsync(started);
        return started;
    }
}
