using System.Security.Cryptography.X509Certificates;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Kubernetes;

public class TlsTests
{
    private const string PodJson = """{"metadata":{"name":"p"}}""";

    private static X509Certificate2Collection Authorities(string pem) => ClientCertificate.ReadAuthorities(pem, "test");

    private static async Task<KubernetesException?> TryAsync(ClientConfiguration configuration)
    {
        using var client = KubernetesClient.Create(configuration);
        return await Record.ExceptionAsync(() => client.GetAsync<V1Pod>("team", "p", CancellationToken.None)) as KubernetesException;
    }

    [Fact]
    public async Task A_server_of_the_given_authority_is_trusted_and_spoken_to_in_http2()
    {
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.LoopbackServer);
        server.Then(200, PodJson);
        Assert.Null(
            await TryAsync(
                new ClientConfiguration { Server = server.Address, CertificateAuthorities = Authorities(TestCertificates.AuthorityPem) }));
        Assert.Equal("HTTP/2", server.Requests[0].Protocol);
    }

    [Fact]
    public async Task A_server_of_any_other_authority_is_refused()
    {
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.LoopbackServer);
        var error = await TryAsync(
            new ClientConfiguration { Server = server.Address, CertificateAuthorities = Authorities(TestCertificates.StrangerPem) });
        Assert.Equal("Unreachable", error?.Reason);
        Assert.Contains("certificate", error!.Message, StringComparison.Ordinal);
        Assert.NotNull(await TryAsync(new ClientConfiguration { Server = server.Address }));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task The_name_in_the_certificate_is_checked()
    {
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.NamedServer);
        var authorities = Authorities(TestCertificates.AuthorityPem);
        Assert.Contains(
            "Name", (await TryAsync(new ClientConfiguration { Server = server.Address, CertificateAuthorities = authorities }))!.Message,
            StringComparison.Ordinal);

        server.Then(200, PodJson);
        Assert.Null(
            await TryAsync(
                new ClientConfiguration
                {
                    Server = server.Address,
                    CertificateAuthorities = authorities,
                    TlsServerName = "kubernetes.default"
                }));
        Assert.NotNull(
            await TryAsync(
                new ClientConfiguration { Server = server.Address, CertificateAuthorities = authorities, TlsServerName = "another.name" }));
    }

    [Fact]
    public async Task Verification_is_skipped_only_when_asked()
    {
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.NamedServer);
        server.Then(200, PodJson);
        Assert.Null(await TryAsync(new ClientConfiguration { Server = server.Address, SkipTlsVerify = true }));
    }

    [Theory]
    [InlineData(false, "rsa-user")]
    [InlineData(true, "ec-user")]
    public async Task A_client_certificate_is_presented(bool elliptic, string subject)
    {
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.LoopbackServer, askForCertificate: true);
        server.Then(200, PodJson);
        (var certificate, var key) = elliptic ? TestCertificates.EcClient : TestCertificates.RsaClient;
        Assert.Null(await TryAsync(new ClientConfiguration
        {
            Server = server.Address,
            CertificateAuthorities = Authorities(TestCertificates.AuthorityPem),
            Credentials = new FixedCredentialSource(new Credential { Certificate = ClientCertificate.FromPem(certificate, key, "test") }),
        }));
        Assert.Contains($"CN={subject}", server.Requests[0].CertificateSubject, StringComparison.Ordinal);
        Assert.False(server.Requests[0].Headers.ContainsKey("Authorization"));
    }

    [Fact]
    public async Task A_renewed_certificate_is_presented_on_a_connection_of_its_own()
    {
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.LoopbackServer, askForCertificate: true);
        server.Then(200, PodJson).Then(200, PodJson);
        RenewedCertificate credentials = new();
        using var client = KubernetesClient.Create(
            new ClientConfiguration { Server = server.Address, SkipTlsVerify = true, Credentials = credentials });
        await client.GetAsync<V1Pod>("team", "p", CancellationToken.None);
        credentials.Current = RenewedCertificate.From(TestCertificates.EcClient);
        await client.GetAsync<V1Pod>("team", "p", CancellationToken.None);
        Assert.Contains("CN=rsa-user", server.Requests[0].CertificateSubject, StringComparison.Ordinal);
        Assert.Contains("CN=ec-user", server.Requests[1].CertificateSubject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_gets_the_request_with_its_impersonation()
    {
        await using var proxy = await ScriptedApiServer.StartAsync();
        proxy.Then(200, PodJson);
        Assert.Null(await TryAsync(new ClientConfiguration
        {
            Server = new Uri("http://api.invalid:8080"),
            Proxy = proxy.Address,
            Impersonation = [new("Impersonate-User", "bob"), new("Impersonate-Group", "a"), new("Impersonate-Group", "b")],
        }));
        Assert.Equal("api.invalid:8080", proxy.Requests[0].Headers["Host"]);
        Assert.Equal(
            ("bob", "a,b"),
            (proxy.Requests[0].Headers["Impersonate-User"],
                proxy.Requests[0].Headers["Impersonate-Group"].Replace(" ", "", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_key_of_another_certificate_is_refused()
        => Assert.Contains(
            "here: no usable PEM",
            Assert.Throws<KubernetesException>(
                () => ClientCertificate.FromPem(TestCertificates.EcClient.Certificate, TestCertificates.RsaClient.Key, "here")).Message,
                StringComparison.Ordinal);

    private sealed class RenewedCertificate : ICredentialSource
    {
        public Credential Current { get; set; } = From(TestCertificates.RsaClient);

        public static Credential From((string Certificate, string Key) pem) =>
            new() { Certificate = ClientCertificate.FromPem(pem.Certificate, pem.Key, "test") };

        public ValueTask<Credential> GetAsync(CancellationToken cancellationToken) => new(Current);

        public bool Reject(Credential credential) => false;
    }
}
