using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;
using Cluster.Operator.Yaml;
using k8s.Models;

[assembly: AssemblyFixture(typeof(ApiServerUnderTest))]

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>The API server that scenarios talk to, one for all of them, started when the first one asks: local mode's own, or a
/// real kube-apiserver with etcd where <c>KUBEBUILDER_ASSETS</c> names a folder that holds both (envtest's convention).</summary>
/// <remarks>No controller of kube-controller-manager runs beside a real one, so what needs garbage collection asks <see cref="IsReal"/>
/// first.</remarks>
public sealed class ApiServerUnderTest : IAsyncLifetime
{
    /// <summary>Names the folder with the programs kube-apiserver and etcd.</summary>
    public const string AssetsVariable = "KUBEBUILDER_ASSETS";

    private readonly SemaphoreSlim _starting = new(1);
    private IAsyncDisposable? _server;
    private ServerAccess? _access;

    public static bool IsReal => RealControlPlane.AssetsFolder is not null;

    /// <summary>The server with the ModelDeployment CRD established.</summary>
    internal async Task<ServerAccess> AccessAsync()
    {
        await _starting.WaitAsync();
        try
        {
            return _access ??= await StartAsync();
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
        using var client = KubernetesClient.Create(access.ToConfiguration());
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        foreach (var manifest in Manifest.Load(Path.Combine(RepositoryRoot.Path, "deploy", "crds")))
        {
            var definition = await client.ApplyAsync<V1CustomResourceDefinition>(
                manifest.Object, "tests", force: true, subresource: null, patience.Token);
            await Eventually.True(
                async () => IsEstablished(definition)
                    || IsEstablished(definition = await client.GetAsync<V1CustomResourceDefinition>(null, manifest.Name, patience.Token)),
                $"{manifest.Name} is established");
        }
    }

    private static bool IsEstablished(V1CustomResourceDefinition definition) =>
        definition.Status?.Conditions?.Any(c => c is { Type: "Established", Status: "True" }) == true;

    private async Task<ServerAccess> StartAsync()
    {
        ServerAccess started;
        if (RealControlPlane.AssetsFolder is { } folder)
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
