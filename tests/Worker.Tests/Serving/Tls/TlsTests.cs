using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Cluster.Worker.Serving.Tls;
using Cluster.Worker.Tests.Serving.Http;

namespace Cluster.Worker.Tests.Serving.Tls;

public sealed class TlsTests
{
    [Fact]
    public async Task Both_ports_speak_tls_and_agree_on_a_protocol()
    {
        using var folder = new CertificateFolder("one");
        await using var server = await StartAsync(folder, new ManualTime());

        Assert.Equal("https", server.Server.HttpAddress.Scheme);
        Assert.Equal(("CN=one", SslApplicationProtocol.Http2), await HandshakeAsync(server.Server.GrpcAddress));
        Assert.Equal(("CN=one", SslApplicationProtocol.Http2), await HandshakeAsync(server.Server.HttpAddress));
        Assert.Equal(
            ("CN=one", SslApplicationProtocol.Http11), await HandshakeAsync(server.Server.HttpAddress, SslApplicationProtocol.Http11));
    }

    [Fact]
    public async Task A_renewed_secret_is_shown_to_new_connections_and_drops_none()
    {
        using var folder = new CertificateFolder("one");
        var time = new ManualTime();
        await using var server = await StartAsync(folder, time);
        var shown = new List<string>();
        using var client = Client(server, shown);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/health")).StatusCode);

        folder.Renew("two");
        time.Advance(ReloadingCertificate.PollInterval);

        Assert.Equal("CN=two", (await HandshakeAsync(server.Server.HttpAddress)).Subject);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/health")).StatusCode);
        Assert.Equal(["CN=one"], shown);
    }

    [Theory]
    [InlineData("wrong key")]
    [InlineData("no PEM")]
    [InlineData("gone")]
    public async Task A_broken_pair_keeps_the_old_one_and_says_so_once(string kind)
    {
        using var folder = new CertificateFolder("one");
        var time = new ManualTime();
        using var log = new RecordedLog();
        await using var server = await StartAsync(folder, time, log);

        switch (kind)
        {
            case "wrong key":
                folder.Renew("two", ownKey: false);
                break;
            case "no PEM":
                folder.Swap("nonsense", "nonsense");
                break;
            default:
                File.Delete(folder.Files.KeyPath);
                break;
        }

        time.Advance(ReloadingCertificate.PollInterval);
        time.Advance(ReloadingCertificate.PollInterval);

        Assert.Equal("CN=one", (await HandshakeAsync(server.Server.HttpAddress)).Subject);
        Assert.Contains(folder.Files.CertificatePath, Assert.Single(log.Errors), StringComparison.Ordinal);

        if (kind != "gone")
        {
            folder.Renew("three");
            time.Advance(ReloadingCertificate.PollInterval);
            Assert.Equal("CN=three", (await HandshakeAsync(server.Server.HttpAddress)).Subject);
        }
    }

    [Fact]
    public async Task A_server_does_not_start_with_a_pair_it_cannot_use()
    {
        using var folder = new CertificateFolder("one");
        folder.Renew("two", ownKey: false);

        var failure = await Assert.ThrowsAsync<FormatException>(() => StartAsync(folder, new ManualTime()));

        Assert.Contains(folder.Files.KeyPath, failure.Message, StringComparison.Ordinal);
    }

    private static Task<HttpTestServer> StartAsync(CertificateFolder folder, ManualTime time, RecordedLog? log = null) =>
        HttpTestServer.StartAsync(configure: options => options with { Tls = folder.Files }, time: time, log: log);

    private static HttpClient Client(HttpTestServer server, List<string> shown) => new(new SocketsHttpHandler
    {
        SslOptions =
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            {
                shown.Add(certificate!.Subject);
                return true;
            },
        },
    })
    {
        BaseAddress = server.Server.HttpAddress,
    };

    private static async Task<(string Subject, SslApplicationProtocol Protocol)> HandshakeAsync(
        Uri address, params List<SslApplicationProtocol> offered)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, address.Port);
        await using var tls = new SslStream(socket.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            ApplicationProtocols = offered.Count > 0 ? offered : [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
        });
        return (tls.RemoteCertificate!.Subject, tls.NegotiatedApplicationProtocol);
    }
}
