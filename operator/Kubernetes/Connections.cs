using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;

namespace Cluster.Operator.Kubernetes;

/// <summary>Sets up the HTTP stack for one API server and one client certificate: trust, proxy, and finding out that a peer is
/// gone.</summary>
/// <remarks>Not the library's pipeline: loading its client type costs 21 MiB, it follows redirects with the token, has no proxy of a
/// kubeconfig and no time limit for connecting, sends a client certificate without its intermediates, and once it judges a chain by a
/// custom authority it no longer compares the host name.</remarks>
internal static class Connections
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Sent with every request.</summary>
    public static string UserAgent { get; } = MakeUserAgent();

    public static HttpMessageInvoker Open(ClientConfiguration configuration, ClientCertificate? certificate)
    {
        SocketsHttpHandler handler = new()
        {
            // A redirect would carry the token to wherever the answer says.
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = configuration.DisableCompression ? DecompressionMethods.None : DecompressionMethods.GZip,
            ConnectTimeout = ConnectTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            EnableMultipleHttp2Connections = true,
            // HTTP/2: an unanswered ping ends the connection, and with it every watch that would otherwise wait for ever.
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            KeepAlivePingDelay = PingEvery,
            KeepAlivePingTimeout = PingTimeout,
            ConnectCallback = ConnectAsync,
        };
        handler.SslOptions.ClientCertificateContext = certificate?.Context;
        if (configuration.SkipTlsVerify)
        {
#pragma warning disable CA5359 // The kubeconfig asks for exactly this: insecure-skip-tls-verify.
            handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (configuration.CertificateAuthorities is { } authorities)
        {
            // Only the chain is judged differently; SslStream still compares the host name.
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck
            };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        }

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

    /// <summary>TCP keep-alive notices a dead peer under HTTP/1.1, where there is no ping.</summary>
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, (int)PingEvery.TotalSeconds);
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

    private static string MakeUserAgent()
    {
        var version = typeof(Connections).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split(
            '+')[0] ?? "0";
        var system = OperatingSystem.IsWindows() ? "windows" : OperatingSystem.IsMacOS() ? "darwin" : "linux";
        return $"cluster-operator/{version} ({system}/{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()})";
    }
}
