using Cluster.Common;
using Cluster.Operator.Plugin;
using Cluster.Operator.Tests.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Plugin;

public sealed class ClusterAccessTests
{
    private const string NotFound = """{"kind":"Status","code":404,"reason":"NotFound","message":"not found"}""";

    [Fact]
    public async Task A_name_that_is_not_there_is_answered_with_those_that_are()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(404, NotFound).Then(200, """{"metadata":{},"items":[{"metadata":{"name":"b"}},{"metadata":{"name":"a"}}]}""");
        var failure = await FailAsync(server, cluster => cluster.DeploymentAsync("team", "c", TestContext.Current.CancellationToken));

        Assert.Equal("there is no ModelDeployment 'c' in namespace 'team'; there are a, b", failure);
    }

    [Fact]
    public async Task A_cluster_without_the_kind_is_told_from_one_without_the_name()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(404, NotFound).Then(404, "404 page not found");
        var failure = await FailAsync(server, cluster => cluster.DeploymentAsync("team", "c", TestContext.Current.CancellationToken));

        Assert.Contains("the operator is not installed there", failure, StringComparison.Ordinal);
        Assert.Contains("helm install", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_right_is_told_as_the_rule_that_would_give_it()
    {
        const string Forbidden = """{"kind":"Status","code":403,"reason":"Forbidden","message":"User \"eve\" cannot list nodes"}""";
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(200, """{"metadata":{"name":"c","namespace":"team"},"spec":{"model":{"source":"hf://a/b"}}}""").Then(403, Forbidden);
        var failure = await FailAsync(server, cluster => cluster.ViewAsync("team", "c", TestContext.Current.CancellationToken));

        Assert.Equal(
            "User \"eve\" cannot list nodes\nwhat is missing is this rule in a ClusterRole of yours: "
            + "{apiGroups: [\"\"], resources: [\"nodes\"], verbs: [\"get\", \"list\"]}", failure);
    }

    [Fact]
    public async Task A_connection_that_is_forbidden_names_its_rule_through_the_HTTP_client()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(403, """{"kind":"Status","code":403,"reason":"Forbidden","message":"no"}""");
        using var client = server.Client();
        using var http = ReplicaHttp.Over(
            client.Pods,
            new V1Pod { Metadata = new V1ObjectMeta { Name = "p", NamespaceProperty = "team" }, Spec = new V1PodSpec() }, "key");

        var error = await Assert.ThrowsAsync<HttpRequestException>(
            () => http.GetAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken));

        Assert.Contains(
            "resources: [\"pods/portforward\"], verbs: [\"get\", \"create\"]", ReplicaHttp.Reason(error), StringComparison.Ordinal);
        var request = Assert.Single(server.Requests);
        Assert.Equal("/api/v1/namespaces/team/pods/p/portforward?ports=8000", request.Target);
        Assert.Equal(
            ("Bearer secret-token", "v4.channel.k8s.io", "13"),
            (request.Headers["Authorization"], request.Headers["Sec-WebSocket-Protocol"], request.Headers["Sec-WebSocket-Version"]));
    }

    private static async Task<string> FailAsync(ScriptedApiServer server, Func<ClusterAccess, Task> call)
    {
        using var client = server.Client();
        return (await Assert.ThrowsAsync<CommandFailure>(() => call(new ClusterAccess(client)))).Message;
    }
}
