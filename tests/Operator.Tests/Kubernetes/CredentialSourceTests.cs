using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using k8s.KubeConfigModels;
using k8s.Models;

namespace Cluster.Operator.Tests.Kubernetes;

public sealed class CredentialSourceTests : IDisposable
{
    private const string V1 = "client.authentication.k8s.io/v1";
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();

    public void Dispose() => _folder.Dispose();

    private ExecCredentialSource Plugin(string script, string apiVersion = V1, JsonObject? cluster = null) =>
        new(Execution(_folder.WriteScript("plugin", script), apiVersion), cluster, _time);

    private static ExternalExecution Execution(string command, string apiVersion = V1) => new()
    {
        ApiVersion = apiVersion,
        Command = command,
        Arguments = ["first arg", "2"],
        EnvironmentVariables = [new Dictionary<string, string> { ["name"] = "EXTRA", ["value"] = "value" }],
        InstallHint = "install me\nlike this",
    };

    private static async Task<string?> TokenAsync(ICredentialSource source) =>
        (await source.GetAsync(CancellationToken.None)).Authorization?.Parameter;

    private static string Answer(string status, string apiVersion = V1)
        => $$"""printf '%s' '{"apiVersion":"{{apiVersion}}","kind":"ExecCredential","status":{{status}}}'""";

    [Fact]
    public async Task A_refused_token_is_replaced_at_once_if_the_file_has_another()
    {
        var file = _folder.Write("token", "one\n");
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(200, """{"metadata":{"name":"p"}}""").Then(401, "").Then(200, """{"metadata":{"name":"p"}}""").Then(401, "")
            .Then(401, "");
        using var client = KubernetesClient.Create(
            new ClientConfiguration { Server = server.Address, Credentials = new TokenFileCredentialSource(file, null) });
        await client.GetAsync<V1Pod>("team", "p", CancellationToken.None);
        File.WriteAllText(file, "two");
        await client.GetAsync<V1Pod>("team", "p", CancellationToken.None);
        Assert.Equal(
            401,
            (await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", CancellationToken.None))).StatusCode);
        Assert.Equal(
            ["Bearer one", "Bearer one", "Bearer two", "Bearer two", "Bearer two"],
            server.Requests.Select(request => request.Headers["Authorization"]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("a\nb")]
    public async Task A_file_without_a_token_is_named(string content)
    {
        var file = _folder.Write("token", content);
        var error = await Assert.ThrowsAsync<KubernetesException>(
            async () => await new TokenFileCredentialSource(file, null).GetAsync(CancellationToken.None));
        Assert.Contains($"'{file}' does not hold exactly one", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<KubernetesException>(
            async () => await new TokenFileCredentialSource(file + "-gone", null).GetAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_plugin_is_told_what_it_needs_to_know()
    {
        var seen = Path.Combine(_folder.Path, "seen");
        var source = Plugin(
            $"""printf '%s\n%s|%s|%s\n' "$KUBERNETES_EXEC_INFO" "$1" "$2" "$EXTRA" > '{seen}'; cat >> '{seen}'; {Answer("""{"token":"t"}""", "client.authentication.k8s.io/v1beta1")}""",
            "client.authentication.k8s.io/v1beta1",
            new JsonObject { ["server"] = "https://x" });
        Assert.Equal("t", await TokenAsync(source));
        Assert.Equal(
            ["""{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{"interactive":false,"cluster":{"server":"https://x"}}}""", "first arg|2|value"],
            File.ReadAllLines(seen));
    }

    [Fact]
    public async Task A_plugins_answer_is_kept_until_it_expires_or_is_refused()
    {
        var count = Path.Combine(_folder.Path, "count");
        var expiry = _time.GetUtcNow().AddMinutes(10).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
        var source = Plugin($"""
            echo x >> '{count}'
            n=$(wc -l < '{count}' | tr -d ' ')
            [ $n = 1 ] && expires=',"expirationTimestamp":"{expiry}"'
            printf '%s' '{"{"}"apiVersion":"{V1}","status":{"{"}"token":"t'$n'"'"$expires"'{"}}"}'
            """);
        var first = await source.GetAsync(CancellationToken.None);
        _time.Advance(TimeSpan.FromMinutes(9));
        Assert.Same(first, await source.GetAsync(CancellationToken.None));
        _time.Advance(TimeSpan.FromSeconds(55));
        var second = await source.GetAsync(CancellationToken.None);
        Assert.Equal(("t1", "t2"), (first.Authorization!.Parameter, second.Authorization!.Parameter));

        // A late 401 for the old token must not throw away the new one.
        Assert.True(source.Reject(first));
        Assert.Equal("t2", await TokenAsync(source));
        Assert.True(source.Reject(second));
        Assert.Equal("t3", await TokenAsync(source));
    }

    [Fact]
    public async Task A_plugin_runs_once_however_many_ask()
    {
        var count = Path.Combine(_folder.Path, "count");
        var source = Plugin($"""echo x >> '{count}'; {Answer("""{"token":"t"}""")}""");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => TokenAsync(source)));
        Assert.Single(File.ReadAllLines(count));
    }

    [Fact]
    public async Task A_plugin_can_hand_out_a_certificate()
    {
        var pem = _folder.Write("answer", new JsonObject
        {
            ["apiVersion"] = V1,
            ["status"] = new JsonObject
            {
                ["clientCertificateData"] = TestCertificates.EcClient.Certificate,
                ["clientKeyData"] = TestCertificates.EcClient.Key
            },
        }.ToJsonString());
        await using var server = await ScriptedApiServer.StartAsync(TestCertificates.LoopbackServer, askForCertificate: true);
        server.Then(200, """{"metadata":{"name":"p"}}""");
        using var client = KubernetesClient.Create(
            new ClientConfiguration { Server = server.Address, SkipTlsVerify = true, Credentials = Plugin($"cat '{pem}'") });
        await client.GetAsync<V1Pod>("team", "p", CancellationToken.None);
        Assert.Contains("CN=ec-user", server.Requests[0].CertificateSubject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_401_makes_the_client_ask_for_a_new_credential_once()
    {
        var count = Path.Combine(_folder.Path, "count");
        var source = Plugin(
            $"""echo x >> '{count}'; n=$(wc -l < '{count}' | tr -d ' '); printf '%s' "{"{"}\"apiVersion\":\"{V1}\",\"status\":{"{"}\"token\":\"t$n\"{"}}"}" """);
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(401, "").Then(200, """{"metadata":{"name":"p"}}""").Then(401, "").Then(401, "");
        using var client = KubernetesClient.Create(new ClientConfiguration { Server = server.Address, Credentials = source });
        await client.GetAsync<V1Pod>("team", "p", CancellationToken.None);
        Assert.Equal(
            401,
            (await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", CancellationToken.None))).StatusCode);
        Assert.Equal(
            ["Bearer t1", "Bearer t2", "Bearer t2", "Bearer t3"], server.Requests.Select(request => request.Headers["Authorization"]));
    }

    [Theory]
    [InlineData("echo no login >&2; exit 3", "exited with 3: no login")]
    [InlineData("echo hello", "printed no ExecCredential")]
    [InlineData("echo '[]'", "printed no ExecCredential")]
    [InlineData(
        """echo '{"apiVersion":"client.authentication.k8s.io/v1beta1"}'""",
        "apiVersion 'client.authentication.k8s.io/v1beta1'; the kubeconfig asked for")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1"}'""", "without a 'status'")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{}}'""", "neither a token nor a client certificate")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{"token":5}}'""", "$.status.token")]
    [InlineData(
        """echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{"clientKeyData":"x"}}'""", "only one of clientCertificateData")]
    [InlineData(
        """echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{"token":"secret","expirationTimestamp":"soon"}}'""",
        "found soon")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{"token":"secret"}'""", "printed no ExecCredential")]
    [InlineData("yes secret | head -c 3000000", "printed more than")]
    public async Task A_plugin_that_fails_is_named_with_what_it_said(string script, string message)
    {
        var error = await Assert.ThrowsAsync<KubernetesException>(() => TokenAsync(Plugin(script)));
        Assert.Contains("credential plugin '", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plugin_that_is_not_installed_comes_with_its_hint()
    {
        ExecCredentialSource source = new(Execution("no-such-plugin-anywhere"), null, _time);
        var error = await Assert.ThrowsAsync<KubernetesException>(() => TokenAsync(source));
        Assert.Contains("'no-such-plugin-anywhere' cannot be run", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("install me\nlike this", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plugin_that_hangs_is_ended()
    {
        var started = Path.Combine(_folder.Path, "started");
        var source = Plugin($"echo $$ > '{started}.tmp'; mv '{started}.tmp' '{started}'; exec tail -f /dev/null");
        var asked = TokenAsync(source);
        await _time.TimerOfAsync(TimeSpan.FromSeconds(60));
        _time.Advance(TimeSpan.FromSeconds(60));
        var error = await Assert.ThrowsAsync<KubernetesException>(() => asked);
        Assert.Contains("gave no answer within 60 s", error.Message, StringComparison.Ordinal);
    }
}
