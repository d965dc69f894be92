using System.Text.Json.Nodes;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Xunit;

namespace Cluster.Operator.Tests.Controller;

public sealed class MeteredKubernetesClientTests
{
    [Fact]
    public async Task Counts_requests_by_verb_and_resource()
    {
        MetricsRegistry metrics = new();
        MeteredKubernetesClient client = new(new FakeKubernetesClient(), metrics);
        JsonObject node = new() { ["metadata"] = new JsonObject { ["name"] = "n" } };
        await client.CreateAsync<Node>(node, CancellationToken.None);
        await client.ListAsync<Node>(null, null, CancellationToken.None);
        await client.GetAsync<Node>(null, "n", CancellationToken.None);
        await client.GetAsync<Node>(null, "n", CancellationToken.None);
        await client.ApplyAsync<Node>(node, "m", force: true, null, CancellationToken.None);
        await client.PatchAsync<Node>(null, "n", PatchType.Merge, new JsonObject { ["status"] = new JsonObject() }, "status", CancellationToken.None);
        await client.ReplaceAsync<Node>(node, null, CancellationToken.None);
        await client.DeleteAsync<Node>(null, "n", null, null, CancellationToken.None);
        await client.ReadLogAsync("ns", "p", "c", 1, false, CancellationToken.None);
        _ = client.WatchAsync<Node>(null, "1", null, CancellationToken.None);
        string[] expected = ["create nodes 1", "delete nodes 1", "get nodes 2", "get pods/log 1", "list nodes 1", "patch nodes 1", "patch nodes/status 1", "update nodes 1", "watch nodes 1"];
        Assert.Equal(
            expected.Select(e => e.Split(' ')).Select(e => $"kubernetes_client_requests_total{{verb=\"{e[0]}\",resource=\"{e[1]}\"}} {e[2]}"),
            metrics.Render().Split('\n').Where(l => l.StartsWith("kubernetes_client", StringComparison.Ordinal)));
    }
}
