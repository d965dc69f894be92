using Testcontainers.K3s;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>K3s in a container, used as a <see cref="BorrowedCluster"/> is. Testcontainers' reaper ends the container with this
/// process, however that ends.</summary>
internal sealed class K3sCluster : IAsyncDisposable
{
    /// <summary>The Kubernetes version that local mode names, too.</summary>
    public const string Image = "rancher/k3s:v1.36.2-k3s1";

    /// <summary>Nobody renews the leases of the scenarios' nodes, and nobody shall call them lost: the scenarios do that
    /// themselves.</summary>
    private const string WithoutNodeLifecycle = "--kube-controller-manager-arg=controllers=*,-node-lifecycle-controller";

    /// <summary>An image may have to be pulled.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(4);

    private readonly K3sContainer _container = new K3sBuilder(Image).WithCommand(WithoutNodeLifecycle).Build();
    private readonly TemporaryFolder _folder = new();
    private BorrowedCluster? _cluster;

    public ServerAccess Access => _cluster!.Access;

    public static async Task<K3sCluster> StartAsync()
    {
        var k3s = new K3sCluster();
        try
        {
            using var limit = new CancellationTokenSource(StartLimit);
            await k3s._container.StartAsync(limit.Token);
            k3s._folder.Write("kubeconfig", await k3s._container.GetKubeconfigAsync());
            k3s._cluster = await BorrowedCluster.StartAsync(Path.Combine(k3s._folder.Path, "kubeconfig"));
            return k3s;
        }
        catch
        {
            await k3s.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // What the tests left in the cluster goes with the container.
        await _container.DisposeAsync();
        _folder.Dispose();
    }
}
