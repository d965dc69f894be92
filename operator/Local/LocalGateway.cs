using System.Net;
using System.Net.Sockets;
using Cluster.Common;
using Cluster.Operator.Gateway;
using Cluster.Operator.Gateway.Page;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Local;

/// <summary>The gateway of a local cluster: in its process, on loopback, without API keys.</summary>
internal static class LocalGateway
{
    /// <summary>Whoever pressed Ctrl-C does not wait long for streams.</summary>
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(2);

    /// <exception cref="IOException">The port that was asked for is taken.</exception>
    public static async Task<GatewayHost> StartAsync(
        IKubernetesClient client, LocalClusterOptions options, byte[] masterKey, IReplicaKiller killer,
        CancellationToken cancellationToken)
    {
        try
        {
            return await TryAsync();
        }
        catch (IOException)
        {
            // Another cluster that starts at this moment took a port between the look and the use: the next look sees it.
            return await TryAsync();
        }

        Task<GatewayHost> TryAsync() => GatewayHost.StartAsync(
            client,
            new GatewayOptions
            {
                MasterKey = masterKey,
                Port = options.GatewayPort ?? FreeOrAny(GatewayOptions.DefaultPort),
                GrpcPort = FreeOrAny(WorkerFlags.DefaultGrpcPort),
                InternalPort = 0,
                AllowedHosts = options.AllowedHosts,
                ShutdownTimeout = ShutdownTimeout,
                IsLocal = true,
                Killer = killer,
                Name = LocalCluster.NodeName,
                Logging = options.Logging,
            },
            cancellationToken);
    }

    /// <summary>Several local clusters can run side by side: the first one has the usual port.</summary>
    /// <returns>The port, or 0 where it is taken.</returns>
    private static int FreeOrAny(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return port;
        }
        catch (SocketException)
        {
            return 0;
        }
    }
}
