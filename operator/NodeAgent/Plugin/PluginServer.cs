using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.Operator.NodeAgent.Plugin;

/// <summary>The sockets of all GPUs that are offered, in the kubelet's folder. Made anew by <see cref="KubeletPlugin"/> when others are
/// offered, or when a kubelet that started has emptied its folder.</summary>
internal sealed class PluginServer : IAsyncDisposable
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(2);

    private readonly WebApplication _server;
    private readonly IReadOnlyList<string> _sockets;

    private PluginServer(WebApplication server, IReadOnlyList<GpuPlugin> plugins, IReadOnlyList<string> sockets)
    {
        _server = server;
        _sockets = sockets;
        Plugins = plugins;
    }

    public IReadOnlyList<GpuPlugin> Plugins { get; }

    /// <summary>Every socket is still where the kubelet looks for it.</summary>
    public bool IsReachable => _sockets.All(File.Exists);

    /// <exception cref="IOException">A socket could not be made: no such folder, or no right to write there.</exception>
    /// <exception cref="UnauthorizedAccessException">What an earlier agent left could not be removed.</exception>
    public static async Task<PluginServer> StartAsync(
        string folder, IReadOnlyList<GpuPlugin> plugins, CancellationToken cancellationToken)
    {
        List<string> sockets = [.. plugins.Select(plugin => Path.Combine(folder, plugin.Gpu.Endpoint))];

        // A socket outlives a process that was killed, and nobody can bind over it.
        sockets.ForEach(File.Delete);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopLimit);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            for (var i = 0; i < plugins.Count; i++)
            {
                var plugin = plugins[i];
                kestrel.ListenUnixSocket(sockets[i], listen =>
                {
                    listen.Protocols = HttpProtocols.Http2;
                    listen.Use(next => connection =>
                    {
                        connection.Features.Set(plugin);
                        return next(connection);
                    });
                });
            }
        });
        var server = builder.Build();
        server.MapGrpcService<GpuPluginService>();
        try
        {
            await server.StartAsync(cancellationToken);
            return new PluginServer(server, plugins, sockets);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.StopAsync();
        await _server.DisposeAsync();
    }
}
