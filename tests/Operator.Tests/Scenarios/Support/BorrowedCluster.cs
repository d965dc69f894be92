using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>A cluster that somebody else runs. Whatever credentials its kubeconfig holds, the tests get a token of a service account of
/// their own; namespaces that the tests leave, that account and a CRD that was not there before go when they are done.</summary>
internal sealed class BorrowedCluster : IAsyncDisposable
{
    private const string Account = "tests";

    // The prefixes of scenarios and of conformance tests; see TestCluster and ConformanceTests.
    private static readonly string[] Prefixes = ["s-", "c-"];

    private const string Namespaces = "/api/v1/namespaces";
    private const string Bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    private const string Definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

    private readonly KubernetesTransport _transport;
    private readonly string _name = $"cluster-tests-{Guid.NewGuid():N}"[..22];
    private HashSet<string> _present = [];
    private bool _hadDefinition = true;

    private BorrowedCluster(ClientConfiguration configuration) => _transport = new KubernetesTransport(configuration, TimeProvider.System);

    public ServerAccess Access { get; private set; } = null!;

    private static string Definition => $"{ApiNames.Plural}.{ApiNames.Group}";

    public static async Task<BorrowedCluster> StartAsync(string kubeconfig)
    {
        var configuration = ClientConfiguration.Load(kubeconfig);
        var cluster = new BorrowedCluster(configuration);
        try
        {
            await cluster.PrepareAsync(configuration);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var space in await NamesAsync(Namespaces))
        {
            if (space == _name || (!_present.Contains(space) && Prefixes.Any(prefix => space.StartsWith(prefix, StringComparison.Ordinal))))
            {
                await DeleteAsync($"{Namespaces}/{space}");
            }
        }

        await DeleteAsync($"{Bindings}/{_name}");
        if (!_hadDefinition)
        {
            await DeleteAsync($"{Definitions}/{Definition}");
        }

        _transport.Dispose();
    }

    private async Task PrepareAsync(ClientConfiguration configuration)
    {
        _present = [.. await NamesAsync(Namespaces)];
        _hadDefinition = (await NamesAsync(Definitions)).Contains(Definition);
        await SendAsync(HttpMethod.Post, Namespaces, $$$"""{"metadata": {"name": "{{{_name}}}"}}""");
        var accounts = $"{Namespaces}/{_name}/serviceaccounts";
        await SendAsync(HttpMethod.Post, accounts, $$$"""{"metadata": {"name": "{{{Account}}}"}}""");
        await SendAsync(
            HttpMethod.Post, Bindings,
            $$$"""
            {"metadata": {"name": "{{{_name}}}"},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
             "subjects": [{"kind": "ServiceAccount", "name": "{{{Account}}}", "namespace": "{{{_name}}}"}]}
            """);
        var authorities = configuration.CertificateAuthorities is { } some
            ? string.Join('\n', some.Select(authority => authority.ExportCertificatePem()))
            : throw new InvalidOperationException(
                "the kubeconfig of CLUSTER_TEST_KUBECONFIG has to name its cluster's certificate authority");
        var token = await SendAsync(HttpMethod.Post, $"{accounts}/{Account}/token", """{"spec": {"expirationSeconds": 14400}}""");
        Access = new ServerAccess(configuration.Server, authorities, (string)token["status"]!["token"]!);
    }

    private async Task<IReadOnlyList<string>> NamesAsync(string path) =>
        [.. (await SendAsync(HttpMethod.Get, path))["items"]!.AsArray().Select(item => (string)item!["metadata"]!["name"]!)];

    private async Task DeleteAsync(string path)
    {
        try
        {
            await SendAsync(HttpMethod.Delete, path);
        }
        catch (KubernetesException error) when (error.IsNotFound)
        {
            // Never made, or gone with something else.
        }
    }

    private Task<JsonNode> SendAsync(HttpMethod method, string path, string? body = null) => _transport.SendAsync(
        new ApiRequest(method, path, [], body is null ? null : Encoding.UTF8.GetBytes(body)),
        async (response, cancellationToken) =>
        {
            using (response)
            {
                return JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken))!;
            }
        },
        CancellationToken.None);
}
