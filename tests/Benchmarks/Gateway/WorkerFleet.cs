using System.Diagnostics;
using System.Globalization;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway;
using Cluster.Operator.Gateway.Routing;
using Cluster.Operator.Local.Kubelet;

namespace Cluster.Benchmarks.Gateway;

/// <summary>Worker processes of the sample model on loopback addresses of their own, and gateways in front of them.</summary>
internal sealed class WorkerFleet : IAsyncDisposable
{
    public const string Model = "haiku-1m";

    private static readonly byte[] MasterKey = GatewayKey.NewMaster();

    private readonly LoopbackNetwork _network = LoopbackNetwork.Acquire();
    private readonly List<Process> _processes = [];
    private readonly HttpClient _http = new();
    private readonly FixedCluster _cluster;

    private WorkerFleet(int replicas)
    {
        Addresses = [.. Enumerable.Range(0, replicas).Select(_ => _network.Take())];
        _cluster = new FixedCluster(Model, Addresses);
    }

    public IReadOnlyList<string> Addresses { get; }

    /// <param name="arguments">Of every worker.</param>
    public static async Task<WorkerFleet> StartAsync(int replicas, params string[] arguments)
    {
        var fleet = new WorkerFleet(replicas);
        try
        {
            foreach (var address in fleet.Addresses)
            {
                fleet._processes.Add(fleet.StartWorker(address, arguments));
            }

            foreach (var address in fleet.Addresses)
            {
                await Eventually.True(() => fleet.IsReadyAsync(address), $"the worker at {address} is ready", TimeSpan.FromMinutes(3));
            }

            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    public async Task<GatewayHost> StartGatewayAsync(RoutingPolicy routing)
    {
        var gateway = await GatewayHost.StartAsync(
            _cluster, new GatewayOptions { MasterKey = MasterKey, Port = 0, GrpcPort = 0, InternalPort = 0, Routing = routing },
            CancellationToken.None);
        await Eventually.True(() => gateway.Replicas.Snapshot.Replicas.Count() == Addresses.Count, "the gateway knows its replicas");
        return gateway;
    }

    /// <summary>The sum of a metric over all workers.</summary>
    public async Task<double> MetricAsync(string name)
    {
        var sum = 0.0;
        foreach (var address in Addresses)
        {
            var page = await _http.GetStringAsync(new Uri($"http://{address}:8000/metrics"));
            sum += page.Split('\n').Where(line => line.StartsWith(name + '{', StringComparison.Ordinal))
                .Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
        }

        return sum;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        _http.Dispose();
        _network.Dispose();
    }

    private Process StartWorker(string address, string[] arguments)
    {
        var root = RepositoryRoot.Path;
        var start = new ProcessStartInfo(
            Path.Combine(root, "worker", "bin", "Release", "net10.0", "cluster-worker"),
            ["serve", "--model", Path.Combine(root, "deploy", "samples", "models", Model), "--served-model-name", Model, "--host", address,
                "--port", "8000", "--grpc-port", "50051", .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { [GatewayKey.Variable] = _cluster.KeyFor(MasterKey), ["CLUSTER_LIFELINE"] = "stdin" },
        };
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private async Task<bool> IsReadyAsync(string address)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri($"http://{address}:8000/ready"));
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
