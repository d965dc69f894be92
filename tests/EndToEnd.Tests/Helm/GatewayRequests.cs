using System.Collections.Concurrent;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway;
using Cluster.Operator.Local.ApiServer.Routing;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>What a gateway asks of the API server from its start until somebody has its page open.</summary>
internal static class GatewayRequests
{
    /// <param name="oneNamespace">The namespace it serves; null for all.</param>
    public static async Task<IReadOnlyCollection<AuditedRequest>> ObserveAsync(string? oneNamespace)
    {
        var requests = new ConcurrentQueue<AuditedRequest>();
        await using var cluster = new BareCluster
        {
            Audit = request =>
            {
                if (request.UserAgent.StartsWith("cluster-operator/", StringComparison.Ordinal))
                {
                    requests.Enqueue(request);
                }
            },
        };
        await cluster.InitializeAsync();
        await cluster.KubectlAsync("apply", "--server-side", "-f", Path.Combine(Chart.Folder, "crds"));

        using var client = cluster.NewClient();
        await using var gateway = await GatewayHost.StartAsync(
            client,
            new GatewayOptions
            {
                MasterKey = GatewayKey.NewMaster(),
                Namespace = oneNamespace,
                Port = 0,
                GrpcPort = 0,
                InternalPort = 0,
            },
            CancellationToken.None);
        using var visitor = new HttpClient();
        await using var page = await visitor.GetStreamAsync(new Uri(gateway.HttpAddress, "/page/events"));
        string[] kinds = ["events", "modeldeployments", "nodes", "pods"];
        await Eventually.True(
            () => kinds.All(kind => requests.Any(request => request.Resource == kind && request.Verb == "watch")),
            "the gateway follows everything that its page shows");
        return [.. requests];
    }
}
