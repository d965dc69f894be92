using System.Net;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>Connections to workers, shared by all requests. It goes only where it is told to: neither redirects nor proxies nor cookies,
/// and what a worker has compressed stays so.</summary>
internal sealed class ReplicaConnections : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(3);

    public HttpMessageInvoker Http { get; } = Create(http2: false);

    /// <summary>HTTP/2 without TLS, for gRPC.</summary>
    public HttpMessageInvoker Grpc { get; } = Create(http2: true);

    public void Dispose()
    {
        Http.Dispose();
        Grpc.Dispose();
    }

    private static HttpMessageInvoker Create(bool http2) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = ConnectTimeout,
        EnableMultipleHttp2Connections = http2,

        // Traces pass through as the client sent them.
        ActivityHeadersPropagator = null,

        // A worker that has stopped without a word is noticed by its silence; a connection to it must not be used again.
        KeepAlivePingDelay = http2 ? TimeSpan.FromSeconds(10) : Timeout.InfiniteTimeSpan,
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
    });
}
