using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Cluster.Operator.Kubernetes;

/// <summary>Sets up the HTTP stack for one API server and one client certificate: trust, proxy, and finding out that a peer is gone.</summary>
internal static class ConnectionFactory
{
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_pingEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_pingTimeout = TimeSpan.FromSeconds(15);

    public static HttpMessageInvoker Create(ClientConfiguration configuration, ClientCertificate? certificate)
    {
        SocketsHttpHandler handler = new()
        {
            // A redirect would carry the token to wherever the answer says.
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = configuration.DisableCompression ? DecompressionMethods.None : DecompressionMethods.GZip,
            ConnectTimeout = s_connectTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            EnableMultipleHttp2Connections = true,
            // HTTP/2: an unanswered ping ends the connection, and with it every watch that would otherwise wait for ever.
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            KeepAlivePingDelay = s_pingEvery,
            KeepAlivePingTimeout = s_pingTimeout,
            ConnectCallback = ConnectAsync,
            SslOptions = Tls(configuration, certificate),
        };
        if (configuration.Proxy is not null)
        {
            handler.Proxy = new WebProxy(configuration.Proxy);
        }
        else if (configuration.Server.IsLoopback)
        {
            // HTTPS_PROXY means the world outside, never a server on this machine.
            handler.UseProxy = false;
        }

        return new HttpMessageInvoker(handler, disposeHandler: true);
    }

    private static SslClientAuthenticationOptions Tls(ClientConfiguration configuration, ClientCertificate? certificate)
    {
        SslClientAuthenticationOptions tls = new() { ClientCertificateContext = certificate?.Context };
        if (configuration.SkipTlsVerify)
        {
#pragma warning disable CA5359 // The kubeconfig asks for exactly this: insecure-skip-tls-verify.
            tls.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (configuration.CertificateAuthorities is { } authorities)
        {
            // Only the chain is judged differently; SslStream still compares the host name.
            X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(authorities);
            tls.CertificateChainPolicy = policy;
        }

        return tls;
    }

    /// <summary>TCP keep-alive notices a dead peer under HTTP/1.1, where there is no ping.</summary>
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, (int)s_pingEvery.TotalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
