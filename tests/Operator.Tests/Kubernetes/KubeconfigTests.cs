using System.Text;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Kubernetes;

/// <summary>What people write into a kubeconfig, from the file to a server that speaks TLS.</summary>
public sealed class KubeconfigTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("token: literal", "Bearer literal", null)]
    [InlineData("tokenFile: token", "Bearer from-file", null)]
    [InlineData("username: bob, password: 12345", "Basic Ym9iOjEyMzQ1", null)]
    [InlineData("client-certificate: client.crt, client-key: client.key", null, "CN=rsa-user")]
    [InlineData("tokenFile: token, client-certificate: client.crt, client-key: client.key", "Bearer from-file", "CN=rsa-user")]
    [InlineData(
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [two words], interactiveMode: Never}",
        "Bearer two-words", null)]
    public async Task Each_kind_of_credential_reaches_a_server_of_the_clusters_own_authority(
        string user, string? authorization, string? subject)
    {
        _folder.Write("token", "from-file\n");
        _folder.Write("client.crt", TestCertificates.RsaClient.Certificate);
        _folder.Write("client.key", TestCertificates.RsaClient.Key);
        _folder.WriteScript(
            "plugin", """printf '{"apiVersion":"client.authentication.k8s.io/v1","status":{"token":"%s"}}' "$(echo "$1" | tr ' ' '-')" """);
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.LoopbackServer, askForCertificate: true);
        server.Then(200, """{"metadata":{"name":"p"}}""");
        var authority = Convert.ToBase64String(Encoding.UTF8.GetBytes(TestCertificates.AuthorityPem));
        var kubeconfig = _folder.Write("config", $$"""
            current-context: x
            clusters: [{name: c, cluster: {server: "{{server.Address}}", certificate-authority-data: {{authority}} } }]
            contexts: [{name: x, context: {cluster: c, user: u} }]
            users: [{name: u, user: { {{user}} } }]
            """);

        using var client = KubernetesClient.Create(ClientConfiguration.Load(kubeconfig));
        await client.GetAsync<V1Pod>("team", "p", CancellationToken.None);

        var request = Assert.Single(server.Requests);
        Assert.Equal(authorization, request.Headers.GetValueOrDefault("Authorization"));
        Assert.Equal(subject, request.CertificateSubject?.Split(',')[0]);
    }

    [Fact]
    public async Task Paths_of_merged_files_start_at_the_folder_of_their_own_file()
    {
        var first = _folder.Write("a/config", "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u} }]");
        _folder.Write("b/token", "from-b");
        var second = _folder.Write("b/config", """
            clusters: [{name: c, cluster: {server: "https://x"}}]
            users: [{name: u, user: {tokenFile: token}}]
            """);
        var merged = new ClientConfigurationLoader
        {
            Environment = name => name == "KUBECONFIG" ? $"{first}{Path.PathSeparator}{second}" : null
        }.Load(null, null);
        Assert.Equal("from-b", (await merged.Credentials.GetAsync(CancellationToken.None)).Authorization!.Parameter);
    }
}
