using System.Text;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Tests.Kubernetes;

public sealed class ClientConfigurationTests : IDisposable
{
    private const string Simple = """
        apiVersion: v1
        kind: Config
        current-context: one
        clusters:
        - {name: c1, cluster: {server: "https://one:6443"}}
        - {name: c2, cluster: {server: "https://two:6443", insecure-skip-tls-verify: true, tls-server-name: other, disable-compression: true}}
        contexts:
        - {name: one, context: {cluster: c1, user: u1}}
        - {name: two, context: {cluster: c2, user: u2, namespace: team}}
        users:
        - {name: u1, user: {token: t1}}
        - {name: u2, user: {username: admin, password: 12345}}
        """;

    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, string> _environment = [];

    public void Dispose() => _folder.Dispose();

    private ClientConfiguration Load(string? kubeconfig = null, string? context = null) => new ClientConfigurationLoader
    {
        Environment = name => _environment.GetValueOrDefault(name),
        Home = Path.Combine(_folder.Path, "home"),
        ServiceAccountFolder = Path.Combine(_folder.Path, "account"),
    }.Load(kubeconfig, context);

    private static async Task<string?> AuthorizationAsync(ClientConfiguration configuration)
        => (await configuration.Credentials.GetAsync(CancellationToken.None)).Authorization?.ToString();

    private void BePod()
    {
        _environment["KUBERNETES_SERVICE_HOST"] = "10.0.0.1";
        _environment["KUBERNETES_SERVICE_PORT"] = "6443";
        _folder.Write("account/ca.crt", TestCertificates.AuthorityPem);
        _folder.Write("account/namespace", "operators\n");
        _folder.Write("account/token", "pod-token\n");
    }

    [Fact]
    public async Task The_current_context_is_used_and_another_can_be_asked_for()
    {
        var file = _folder.Write("config", Simple);
        var one = Load(file);
        Assert.Equal(("https://one:6443/", "default", "Bearer t1"), (one.Server.AbsoluteUri, one.Namespace, await AuthorizationAsync(one)));
        var two = Load(file, "two");
        Assert.Equal(("https://two:6443/", "team"), (two.Server.AbsoluteUri, two.Namespace));
        Assert.Equal((true, "other", true), (two.SkipTlsVerify, two.TlsServerName, two.DisableCompression));
        Assert.Equal($"Basic {Convert.ToBase64String("admin:12345"u8)}", await AuthorizationAsync(two));
    }

    [Fact]
    public async Task A_pod_without_kubeconfig_uses_its_service_account()
    {
        BePod();
        var pod = Load();
        Assert.Equal(
            ("https://10.0.0.1:6443/", "operators", "Bearer pod-token"),
            (pod.Server.AbsoluteUri, pod.Namespace, await AuthorizationAsync(pod)));
        Assert.Single(pod.CertificateAuthorities!);
        _environment["KUBERNETES_SERVICE_HOST"] = "fd00::1";
        Assert.Equal("https://[fd00::1]:6443/", Load().Server.AbsoluteUri);
    }

    [Fact]
    public void A_kubeconfig_that_exists_goes_before_the_service_account_and_an_explicit_one_before_all()
    {
        BePod();
        _folder.Write("home/.kube/config", Simple);
        Assert.Equal("one", Load().Server.Host);
        _environment["KUBECONFIG"] = _folder.Write("env", Simple.Replace("https://one:", "https://from-env:", StringComparison.Ordinal));
        Assert.Equal("from-env", Load().Server.Host);
        Assert.Equal(
            "explicit",
            Load(_folder.Write("explicit", Simple.Replace("https://one:", "https://explicit:", StringComparison.Ordinal))).Server.Host);
        _environment["KUBECONFIG"] = Path.Combine(_folder.Path, "gone");
        Assert.Equal("10.0.0.1", Load().Server.Host);
    }

    [Fact]
    public async Task Several_files_are_merged_and_the_first_wins()
    {
        var first = _folder.Write("first", """
            contexts: [{name: shared, context: {cluster: c1, user: u1}}]
            users: [{name: u1, user: {token: from-first}}]
            """);
        var second = _folder.Write("second", Simple.Replace("current-context: one", "current-context: shared", StringComparison.Ordinal));
        _environment["KUBECONFIG"] = string.Join(Path.PathSeparator, first, Path.Combine(_folder.Path, "missing"), second);
        var merged = Load();
        Assert.Equal(("one", "Bearer from-first"), (merged.Server.Host, await AuthorizationAsync(merged)));
    }

    [Fact]
    public async Task Paths_in_a_kubeconfig_start_at_its_folder()
    {
        _folder.Write("dir/pki/ca.crt", TestCertificates.AuthorityPem);
        _folder.Write("dir/pki/client.crt", TestCertificates.RsaClient.Certificate);
        _folder.Write("dir/pki/client.key", TestCertificates.RsaClient.Key);
        _folder.Write("dir/token", "file-token");
        var file = _folder.Write("dir/config", """
            current-context: x
            clusters: [{name: c, cluster: {server: "https://x", certificate-authority: pki/ca.crt}}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            users: [{name: u, user: {client-certificate: pki/client.crt, client-key: pki/client.key, tokenFile: token}}]
            """);
        var configuration = Load(file);
        Assert.Equal("Bearer file-token", await AuthorizationAsync(configuration));
        Assert.NotNull((await configuration.Credentials.GetAsync(CancellationToken.None)).Certificate);
        Assert.Single(configuration.CertificateAuthorities!);
    }

    [Fact]
    public void Impersonation_becomes_headers()
    {
        var file = _folder.Write(
            "config",
            Simple.Replace(
                "{token: t1}", "{token: t1, as: bob, as-uid: u-1, as-groups: [a, b], as-user-extra: {'example.com/scope': [x]}}",
                StringComparison.Ordinal));
        Assert.Equal(
            ["Impersonate-User=bob", "Impersonate-Uid=u-1", "Impersonate-Group=a", "Impersonate-Group=b",
                "Impersonate-Extra-example.com%2Fscope=x"],
            Load(file).Impersonation.Select(header => $"{header.Key}={header.Value}"));
    }

    [Fact]
    public void A_proxy_is_taken_over()
    {
        var file = _folder.Write(
            "config",
            Simple.Replace(
                "server: \"https://one:6443\"", "server: \"https://one:6443\", proxy-url: \"socks5://proxy:1080\"",
                StringComparison.Ordinal));
        Assert.Equal("socks5", Load(file).Proxy!.Scheme);
    }

    [Theory]
    [InlineData("current-context: one", "current-context: ''", "no current-context; choose one of 'one', 'two'")]
    [InlineData("current-context: one", "current-context: none", "no context 'none'; there are 'one', 'two'")]
    [InlineData("cluster: c1,", "cluster: c9,", "names cluster 'c9', which is not there; there are 'c1', 'c2'")]
    [InlineData("user: u1}", "user: u9}", "names user 'u9', which is not there; there are 'u1', 'u2'")]
    [InlineData("\"https://one:6443\"", "one:6443", "'one:6443' is no server address")]
    [InlineData("\"https://one:6443\"", "\"https://x\", proxy-url: \"ftp://y\"", "proxy-url 'ftp://y' is not supported")]
    [InlineData(
        "\"https://one:6443\"", "\"https://x\", certificate-authority: nowhere.crt", "certificate-authority: Could not find file '")]
    [InlineData(
        "\"https://one:6443\"", "\"https://x\", certificate-authority-data: '*'",
        "certificate-authority: The input is not a valid Base-64 string")]
    [InlineData("\"https://one:6443\"", "\"https://x\", certificate-authority-data: aGVsbG8=", "holds no PEM certificate")]
    [InlineData("{token: t1}", "{auth-provider: {name: gcp}}", "auth-provider 'gcp' was removed")]
    [InlineData("{token: t1}", "{token: t1, username: x}", "more than one of token, username and exec")]
    [InlineData("{token: t1}", "{token: 'two words'}", "user 'u1': token does not hold exactly one bearer token")]
    [InlineData("{token: t1}", "{token: t1, as-groups: [x]}", "need 'as'")]
    [InlineData("{token: t1}", "{client-certificate-data: aGVsbG8=}", "must be given together")]
    [InlineData("{token: t1}", "{client-certificate-data: aGVsbG8=, client-key-data: aGVsbG8=}", "no usable PEM certificate")]
    [InlineData(
        "{token: t1}", "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}}",
        "v1alpha1' is not supported; supported: client.authentication.k8s.io/v1,")]
    [InlineData(
        "{token: t1}", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}}",
        "interactiveMode 'Always' cannot work here")]
    [InlineData("{token: t1}", "{exec: {apiVersion: client.authentication.k8s.io/v1}}", "command is missing")]
    [InlineData("kind: Config", "kind: Config\nkind: Config", "config:3:1: key 'kind' is already set")]
    [InlineData("kind: Config", "users: 3\nkind: Config", "already set")]
    [InlineData("{token: t1}", "{token: [t1]}", "user 'u1': ")]
    public void What_is_wrong_is_named(string replace, string by, string message)
    {
        var file = _folder.Write("config", Simple.Replace(replace, by, StringComparison.Ordinal));
        var error = Assert.Throws<KubernetesException>(() => Load(file));
        Assert.Equal(0, error.StatusCode);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_authority_and_insecure_contradict_each_other()
    {
        var authority = Convert.ToBase64String(Encoding.UTF8.GetBytes(TestCertificates.AuthorityPem));
        var file = _folder.Write(
            "config",
            Simple.Replace(
                "insecure-skip-tls-verify: true", $"insecure-skip-tls-verify: true, certificate-authority-data: {authority}",
                StringComparison.Ordinal));
        Assert.Contains(
            "contradict each other", Assert.Throws<KubernetesException>(() => Load(file, "two")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_nothing_is_found_the_places_are_listed()
    {
        Assert.Contains(
            Path.Combine("home", ".kube", "config"), Assert.Throws<KubernetesException>(() => Load()).Message, StringComparison.Ordinal);
        Assert.Contains("KUBERNETES_SERVICE_HOST", Assert.Throws<KubernetesException>(() => Load()).Message, StringComparison.Ordinal);
        Assert.Contains("no context 'x'", Assert.Throws<KubernetesException>(() => Load(null, "x")).Message, StringComparison.Ordinal);
        Assert.Contains(
            "'/nowhere' does not exist", Assert.Throws<KubernetesException>(() => Load("/nowhere")).Message, StringComparison.Ordinal);
    }
}
