using System.Collections.Concurrent;
using Cluster.Operator.NodeAgent.Plugin;
using Cluster.Operator.NodeAgent.Plugin.Protocol;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cluster.Operator.Tests.NodeAgent.Plugin;

/// <summary>The part of a kubelet that device plugins talk to, on the real protocol over unix sockets: empties its folder when it starts,
/// connects to a plugin before it answers its registration, and watches it. Source: kubernetes/pkg/kubelet/cm/devicemanager.</summary>
internal sealed class DeviceManager : IAsyncDisposable
{
    private readonly string _folder;
    private readonly WebApplication _server;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, GrpcChannel> _channels = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Device> _devices = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<Task> _watches = [];
    private int _attempts;

    private DeviceManager(string folder, string? refusal)
    {
        _folder = folder;
        Refusal = refusal;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(
            Path.Combine(folder, "kubelet.sock"), listen => listen.Protocols = HttpProtocols.Http2));
        _server = builder.Build();
        _server.MapGrpcService<Registrar>();
    }

    /// <summary>What it answers to whoever registers; null to take them.</summary>
    public string? Refusal { get; set; }

    /// <summary>Registrations tried.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>By resource, what its plugin says last.</summary>
    public IReadOnlyDictionary<string, Device> Devices => _devices;

    /// <summary>Resources that the Node's status.allocatable would show as 1.</summary>
    public IEnumerable<string> Allocatable =>
        _devices.Where(d => d.Value.Health == "Healthy").Select(d => d.Key).Order(StringComparer.Ordinal);

    public static async Task<DeviceManager> StartAsync(string folder, string? refusal = null)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            File.Delete(file);
        }

        DeviceManager manager = new(folder, refusal);
        await manager._server.StartAsync();
        return manager;
    }

    public DevicePlugin.DevicePluginClient Plugin(string resource) => new(_channels[resource]);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_watches);
        foreach (var channel in _channels.Values)
        {
            channel.Dispose();
        }

        await _server.StopAsync();
        await _server.DisposeAsync();
        _stop.Dispose();
    }

    private async Task RegisterAsync(RegisterRequest request)
    {
        Interlocked.Increment(ref _attempts);
        if (Refusal is not null || request.Version != "v1beta1" || !request.ResourceName.Contains('/', StringComparison.Ordinal))
        {
            throw new RpcException(new Status(StatusCode.Unknown, Refusal ?? $"requested API version {request.Version} is not supported"));
        }

        var channel = KubeletRegistration.Open(Path.Combine(_folder, request.Endpoint));
        DevicePlugin.DevicePluginClient client = new(channel);
        Assert.False((await client.GetDevicePluginOptionsAsync(new Empty())).PreStartRequired);
        _channels[request.ResourceName] = channel;
        _watches.Add(WatchAsync(request.ResourceName, client));
    }

    private async Task WatchAsync(string resource, DevicePlugin.DevicePluginClient client)
    {
        using var stream = client.ListAndWatch(new Empty(), cancellationToken: _stop.Token);
        try
        {
            await foreach (var list in stream.ResponseStream.ReadAllAsync(_stop.Token))
            {
                _devices[resource] = Assert.Single(list.Devices);
            }
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException)
        {
            // The plugin hung up, or we do.
        }

        _devices.TryRemove(resource, out _);
    }

    private sealed class Registrar(DeviceManager manager) : Registration.RegistrationBase
    {
        public override async Task<Empty> Register(RegisterRequest request, ServerCallContext context)
        {
            await manager.RegisterAsync(request);
            return new Empty();
        }
    }
}
