using Cluster.Common.Metrics;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Autoscaling;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>A running operator, as its command runs it, behind a gateway of its own.</summary>
internal sealed class OperatorUnderTest : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly KubernetesClient _client;
    private bool _disposed;

    private OperatorUnderTest(FaultyGateway gateway, KubernetesClient client, OperatorOptions options)
    {
        Gateway = gateway;
        _client = client;
        Metrics = options.Metrics;
        Readiness = options.Readiness;
        Running = Task.Run(() => OperatorHost.RunAsync(client, options, _stop.Token));
    }

    public FaultyGateway Gateway { get; }

    public MetricsRegistry Metrics { get; }

    public Readiness Readiness { get; }

    public Task Running { get; }

    public static async Task<OperatorUnderTest> StartAsync(
        ServerAccess server, string @namespace, LeaderElectionOptions? election = null, TimeProvider? time = null,
        Func<GatewayRequest, Fault?>? fault = null, GatewayAccess? gateways = null)
    {
        var gateway = await FaultyGateway.StartAsync(server);
        gateway.OnRequest = fault;
        var metrics = new MetricsRegistry();
        var client = KubernetesClient.Create(
            ClientConfiguration.ForToken(gateway.Address, server.Token), observe: new RestClientMetrics(metrics).Observe);
        return new OperatorUnderTest(gateway, client, new OperatorOptions
        {
            Worker = new WorkerOptions("worker:test") { Policy = new PodPolicy { ModelPathPrefixes = ["/"] } },
            Namespace = @namespace,
            Gateways = gateways,
            LeaderElection = election,
            Metrics = metrics,
            Time = time ?? TimeProvider.System,
        });
    }

    /// <summary>SIGTERM: ends in order, gives the lease back.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Running;
    }

    /// <summary>SIGKILL or a power cut: not one more request gets out.</summary>
    public async Task CrashAsync()
    {
        Gateway.Down = true;
        await _stop.CancelAsync();
        await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return; // A scenario may end an operator before its cluster does.
        }

        await _stop.CancelAsync();
        await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _client.Dispose();
        await Gateway.DisposeAsync();
        _stop.Dispose();
    }
}
