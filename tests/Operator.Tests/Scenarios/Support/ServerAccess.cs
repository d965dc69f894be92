using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>How to reach an API server: all that a client of any kind needs.</summary>
/// <param name="Address"><c>https://127.0.0.1:PORT</c>.</param>
/// <param name="AuthorityPem">What the client must trust.</param>
/// <param name="Token">Bearer token of an administrator.</param>
internal sealed record ServerAccess(Uri Address, string AuthorityPem, string Token)
{
    public ClientConfiguration ToConfiguration() => new()
    {
        Server = Address,
        CertificateAuthorities = ClientCertificate.ReadAuthorities(AuthorityPem, "the server under test"),
        Credentials = new FixedCredentialSource(Credential.Bearer(Token, "the server under test")),
    };

    /// <summary>Raw HTTP as the administrator, trusting only this server.</summary>
    public HttpClient NewHttpClient()
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck
        };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(
            ClientCertificate.ReadAuthorities(AuthorityPem, "the server under test"));
        var http = new HttpClient(handler) { BaseAddress = Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        http.DefaultRequestHeaders.UserAgent.ParseAdd("tester/1.0");
        return http;
    }

    /// <summary>For kubectl and for <c>operator run</c>.</summary>
    public void WriteKubeconfig(string path) => File.WriteAllText(path, $"""
        apiVersion: v1
        kind: Config
        clusters:
        - name: test
          cluster:
            server: {Address.GetLeftPart(UriPartial.Authority)}
            certificate-authority-data: {Convert.ToBase64String(Encoding.ASCII.GetBytes(AuthorityPem))}
        users:
        - name: admin
          user:
            token: {Token}
        contexts:
        - name: test
          context:
            cluster: test
            user: admin
            namespace: default
        current-context: test

        """);
}
