using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using k8s;

namespace Cluster.Operator.Kubernetes;

/// <summary>Opens the library's HTTP pipeline for one API server and one client certificate. Called by <see cref="KubernetesTransport"/>.</summary>
/// <remarks>What the library's own set-up lacks is set here: it follows redirects with the token, has no proxy of a kubeconfig and no time limit for connecting, sends a
/// client certificate without its intermediates, and once it judges a chain by a custom authority it no longer compares the host name.</remarks>
internal static class Connections
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(15);

    public static k8s.Kubernetes Open(ClientConfiguration configuration, ClientCertificate? certificate) => new(new KubernetesClientConfiguration
    {
        Host = configuration.Server.AbsoluteUri,
        SkipTlsVerify = configuration.SkipTlsVerify,
        UserAgent = UserAgent(),
        FirstMessageHandlerSetup = handler => SetUp(handler, configuration, certificate),
    });

    private static void SetUp(SocketsHttpHandler handler, ClientConfiguration configuration, ClientCertificate? certificate)
    {
        // A redirect would carry the token to wherever the answer says.
        handler.AllowAutoRedirect = false;
        handler.UseCookies = false;
        handler.AutomaticDecompression = configuration.DisableCompression ? DecompressionMethods.None : DecompressionMethods.GZip;
        handler.ConnectTimeout = ConnectTimeout;
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(10);

        // HTTP/2: an unanswered ping ends the connection, and with it every watch that would otherwise wait for ever.
        handler.KeepAlivePingDelay = PingEvery;
        handler.KeepAlivePingTimeout = PingTimeout;
        handler.ConnectCallback = ConnectAsync;
        handler.SslOptions.ClientCertificates = null;
        handler.SslOptions.ClientCertificateContext = certificate?.Context;
        if (configuration.CertificateAuthorities is { } authorities)
        {
            // Only the chain is judged differently; SslStream still compares the host name.
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
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

    private static string UserAgent()
    {
        var version = typeof(Connections).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";
        var system = OperatingSystem.IsWindows() ? "windows" : OperatingSystem.IsMacOS() ? "darwin" : "linux";
        return $"cluster-operator/{version} ({system}/{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()})";
    }
}
