using System.Net.Sockets;
using Cluster.Operator.NodeAgent.Plugin.Protocol;
using Grpc.Core;
using Grpc.Net.Client;

namespace Cluster.Operator.NodeAgent.Plugin;

/// <summary>Tells the kubelet which resource is offered at which socket. Used by <see cref="KubeletPlugin"/>.</summary>
internal static class KubeletRegistration
{
    private const string Version = "v1beta1";

    /// <summary>The kubelet connects to the plugin before it answers, for which it takes up to 10 seconds.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    /// <param name="socket">The kubelet's.</param>
    /// <exception cref="RpcException">The kubelet cannot be reached, does not answer (Cancelled), or refuses one of them.</exception>
    public static async Task RegisterAsync(
        string socket, IEnumerable<OfferedGpu> gpus, TimeProvider time, CancellationToken cancellationToken)
    {
        using var channel = Open(socket);
        Registration.RegistrationClient client = new(channel);
        foreach (var gpu in gpus)
        {
            RegisterRequest request = new()
            {
                Version = Version,
                Endpoint = gpu.Endpoint,
                ResourceName = gpu.Resource,
                Options = new DevicePluginOptions(),
            };
            using CancellationTokenSource limit = new(Limit, time);
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            await client.RegisterAsync(request, cancellationToken: ends.Token);
        }
    }

    /// <summary>gRPC over a unix socket.</summary>
    public static GrpcChannel Open(string socket) => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        DisposeHttpClient = true,
        HttpHandler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellationToken) =>
            {
                Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await client.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellationToken);
                    return new NetworkStream(client, ownsSocket: true);
                }
                catch
                {
                    client.Dispose();
                    throw;
                }
            },
        },
    });
}
