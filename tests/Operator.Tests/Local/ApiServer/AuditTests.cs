using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Local.ApiServer.Routing;

namespace Cluster.Operator.Tests.Local.ApiServer;

public sealed class AuditTests
{
    [Fact]
    public async Task Every_request_is_told_in_the_words_of_authorization()
    {
        var told = new ConcurrentQueue<AuditedRequest>();
        await using var server = await LocalApiServer.StartAsync(
            new LocalApiServerOptions { Audit = told.Enqueue }, CancellationToken.None);
        using var client = new ApiClient(server);
        const string Pods = "/api/v1/namespaces/default/pods";

        await client.CreateAsync(Pods, Fixtures.Pod("a"));
        await client.GetAsync($"{Pods}/a");
        await client.GetAsync("/api/v1/pods");
        await client.MergeAsync($"{Pods}/a/status", new JsonObject { ["status"] = new JsonObject { ["phase"] = "Running" } });
        await client.ApplyAsync(
            "/apis/coordination.k8s.io/v1/namespaces/default/leases/l",
            Fixtures.Json("""{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}"""), "me");
        (await client.SendAsync(HttpMethod.Delete, $"{Pods}/missing")).Dispose();
        (await client.SendAsync(HttpMethod.Delete, Pods)).Dispose();
        (await client.Http.GetAsync("/api/v1/pods?watch=true", HttpCompletionOption.ResponseHeadersRead)).Dispose();
        (await client.SendAsync(HttpMethod.Get, "/version")).Dispose();

        Assert.Equal(
            [
                "create /pods default  201", "get /pods default a 200", "list /pods   200", "patch /pods/status default a 200",
                "patch coordination.k8s.io/leases default l 201",
                "delete /pods default missing 404", "deletecollection /pods default  200", "watch /pods   200",
            ],
            told.Select(one => $"{one.Verb} {one.Group}/{one.Resource} {one.Namespace} {one.Name} {one.StatusCode}"));
        Assert.All(told, one => Assert.Equal("tester/1.0", one.UserAgent));
    }
}
