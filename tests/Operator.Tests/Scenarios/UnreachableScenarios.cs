using System.Net;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>An API server that cannot be reached when the operator starts, or later. It says so once, waits, and goes on when the server
/// is there.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class UnreachableScenarios(ApiServerUnderTest server)
{
    /// <summary>Deployments, services, budgets, accounts, nodes and pods.</summary>
    private const int Caches = 6;

    [Fact]
    public async Task Without_a_server_the_lease_is_awaited_and_a_leader_that_loses_its_server_ends()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        using var folder = new TemporaryFolder();
        var port = FreePort.Next();
        var refused = $"no connection to the API server http://127.0.0.1:{port}: Connection refused";
        (var process, var http) = Start(cluster, folder, $"http://127.0.0.1:{port}", "--leader-elect-namespace", cluster.Namespace);
        await using var running = process;
        using var probes = http;
        await UntilTriedAsync(http, 3);
        await NotReadyAsync(http, $"[-]lease {cluster.Namespace}/cluster-operator cannot be had: {refused}; waiting for it");
        Assert.Single(process.Lines, line => line.Contains(refused, StringComparison.Ordinal));

        await using (await FaultyGateway.StartAsync(cluster.Server, port))
        {
            await cluster.ApplyAsync("llm");
            await cluster.UntilReadyAsync("llm", 1);
            await UntilReadyAsync(http);
        }

        Assert.Equal(1, await process.ExitAsync());
        Assert.Contains("was not renewed within 10 s", process.Lines[^1], StringComparison.Ordinal);
        Assert.DoesNotContain(process.Lines, IsOfStackTrace);
    }

    [Fact]
    public async Task Without_a_server_the_caches_are_awaited_at_the_start_and_later()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        using var folder = new TemporaryFolder();
        var port = FreePort.Next();
        var refused = $"no connection to the API server http://127.0.0.1:{port}: Connection refused";
        (var process, var http) = Start(cluster, folder, $"http://127.0.0.1:{port}", "--leader-elect=false");
        await using var running = process;
        using var probes = http;
        await UntilTriedAsync(http, 3 * Caches);
        await NotReadyAsync(http, $"[-]modeldeployments cannot be listed: {refused}");
        Assert.Equal(Caches, process.Lines.Count(line => line.Contains(refused, StringComparison.Ordinal)));

        await using (await FaultyGateway.StartAsync(cluster.Server, port))
        {
            await cluster.ApplyAsync("llm");
            await cluster.UntilReadyAsync("llm", 1);
            await UntilReadyAsync(http);
        }

        await UntilTriedAsync(http, 6 * Caches);
        await NotReadyAsync(http, $"[-]modeldeployments cannot be watched: {refused}");
        Assert.Equal(2 * Caches, process.Lines.Count(line => line.Contains(refused, StringComparison.Ordinal)));

        await using var again = await FaultyGateway.StartAsync(cluster.Server, port);
        await cluster.ScaleAsync("llm", 2);
        await cluster.UntilReadyAsync("llm", 2);
        await UntilReadyAsync(http);
        Assert.DoesNotContain(process.Lines, IsOfStackTrace);
    }

    [Fact]
    public async Task A_name_that_does_not_resolve_is_named()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        using var folder = new TemporaryFolder();
        (var process, var http) = Start(
            cluster, folder, "http://no-such-host.invalid:6443", "--leader-elect-namespace", cluster.Namespace);
        await using var running = process;
        using var probes = http;
        await NotReadyAsync(
            http, $"[-]lease {cluster.Namespace}/cluster-operator cannot be had: no connection to the API server "
                + "http://no-such-host.invalid:6443: ");
        Assert.DoesNotContain(process.Lines, IsOfStackTrace);
        Assert.False(process.HasExited);
    }

    [Theory]
    [InlineData(false, 403, "cannot be listed: pods is forbidden: User \"op\" cannot list resource \"pods\"")]
    [InlineData(false, 401, "cannot be listed: Unauthorized")]
    [InlineData(true, 403, "cannot be read: pods is forbidden: User \"op\" cannot watch resource \"pods\"")]
    [InlineData(true, 401, "cannot be read: Unauthorized")]
    public async Task What_may_not_be_read_is_said_and_awaited(bool isWatch, int status, string problem)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await using var gated = await cluster.StartOperatorAsync(
            time: time.Clock,
            fault: r => r.IsWatch == isWatch && r is { Method: "GET", Path: "/api/v1/pods" }
                ? new Fault(status, Message: problem[(problem.IndexOf(": ", StringComparison.Ordinal) + 2)..])
                : null);
        await Eventually.True(() => gated.Readiness.Text.Contains($"[-]pods {problem}\n", StringComparison.Ordinal), "it says so");
        Assert.False(gated.Readiness.IsReady);
        await time.PassAsync(TimeSpan.FromMinutes(1));

        // 0.8 s, 1.6 s, … 30 s, and a list before each watch.
        Assert.InRange(gated.Gateway.Requests.Count(r => r.Path == "/api/v1/pods"), 4, 20);
        Assert.Contains($"[-]pods {problem}\n", gated.Readiness.Text, StringComparison.Ordinal);
        gated.Gateway.OnRequest = null;
        await time.WhileAsync(Eventually.IsTrueAsync(() => gated.Readiness.IsReady));
        Assert.True(gated.Readiness.IsReady, gated.Readiness.Text);
        await cluster.ApplyAsync("llm");
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
    }

    private static (OperatorProcess Process, HttpClient Http) Start(
        TestCluster cluster, TemporaryFolder folder, string server, params string[] more)
    {
        folder.Write("kubeconfig", $$$"""
            apiVersion: v1
            kind: Config
            clusters: [{name: c, cluster: {server: "{{{server}}}"}}]
            users: [{name: u, user: {token: "{{{cluster.Server.Token}}}"}}]
            contexts: [{name: c, context: {cluster: c, user: u}}]
            current-context: c
            """);
        var probes = FreePort.Next();
        var path = Path.Combine(folder.Path, "kubeconfig");
        var process = OperatorProcess.Start([
            "run", "--kubeconfig", path, "--namespace", cluster.Namespace, "--worker-image", "worker:test",
            "--model-path-prefix", "/models", "--metrics-port", $"{probes}", .. more]);
        return (process, new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{probes}") });
    }

    private static Task UntilTriedAsync(HttpClient http, int times) => Eventually.True(
        async () => await GetAsync(http, "/metrics") is { } text
            && PrometheusText.Parse(text.Body).Sum("rest_client_requests_total", ("code", "<error>")) >= times,
        $"it has tried {times} times");

    private static Task NotReadyAsync(HttpClient http, string why) => Eventually.True(
        async () => await GetAsync(http, "/readyz") is { Status: HttpStatusCode.ServiceUnavailable } answer
            && answer.Body.Contains(why, StringComparison.Ordinal),
        $"/readyz is 503 and says '{why}'");

    private static Task UntilReadyAsync(HttpClient http) => Eventually.True(
        async () => await GetAsync(http, "/readyz") is { Status: HttpStatusCode.OK }, "/readyz is 200");

    /// <returns>Null while nobody listens yet.</returns>
    private static async Task<(HttpStatusCode Status, string Body)?> GetAsync(HttpClient http, string path)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri(path, UriKind.Relative));
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static bool IsOfStackTrace(string line) => line.TrimStart().StartsWith("at ", StringComparison.Ordinal);
}
