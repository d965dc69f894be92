using System.Net.Security;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Cluster.Worker.Serving.Tls;

/// <summary>Puts TLS under a listener. Called by <see cref="WorkerServer"/> for the HTTP and the gRPC port.</summary>
internal static class TlsListening
{
    /// <summary>A peer that opens a connection and says nothing holds it no longer than this.</summary>
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Every handshake shows the certificate of its moment and offers the listener's protocols by ALPN.</summary>
    public static void UseCertificate(this ListenOptions listener, ReloadingCertificate certificate)
    {
        List<SslApplicationProtocol> protocols = [];
        if (listener.Protocols.HasFlag(HttpProtocols.Http2))
        {
            protocols.Add(SslApplicationProtocol.Http2);
        }

        if (listener.Protocols.HasFlag(HttpProtocols.Http1))
        {
            protocols.Add(SslApplicationProtocol.Http11);
        }

        listener.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = HandshakeTimeout,
            OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = certificate.Current,
                ApplicationProtocols = protocols,
            }),
        });
    }
}
