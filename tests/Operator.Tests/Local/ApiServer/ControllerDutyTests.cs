using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>What kube-controller-manager keeps in a cluster, where the server is told to; and the kinds that nobody works for
/// here.</summary>
public sealed class ControllerDutyTests : IAsyncLifetime
{
    private LocalApiServer _server = null!;
    private ApiClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await LocalApiServer.StartAsync(new LocalApiServerOptions { FillsNamespaces = true }, CancellationToken.None);
        _client = new ApiClient(_server);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Every_namespace_has_a_default_account_and_the_authority_and_gets_them_back()
    {
        await _client.CreateAsync("/api/v1/namespaces", Fixtures.Json("""{"metadata": {"name": "space"}}"""));
        const string Map = "/api/v1/namespaces/space/configmaps/kube-root-ca.crt";
        using var account = await _client.EventuallyAsync(
            "/api/v1/namespaces/space/serviceaccounts/default", r => r.StatusCode == HttpStatusCode.OK);
        using var map = await _client.EventuallyAsync(Map, r => r.StatusCode == HttpStatusCode.OK);
        Assert.Equal(_server.CaCertificatePem, (string?)(await _client.GetAsync(Map))["data"]!["ca.crt"]);
        await _client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, Map);
        using var again = await _client.EventuallyAsync(Map, r => r.StatusCode == HttpStatusCode.OK);
        await _client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, "/api/v1/namespaces/space");
        using var gone = await _client.EventuallyAsync("/api/v1/namespaces/space", r => r.StatusCode == HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task An_endpoint_slice_names_the_pods_behind_a_service_and_goes_with_it()
    {
        const string Services = "/api/v1/namespaces/default/services";
        var pods = Fixtures.PodsIn("default");
        var pod = Fixtures.Pod("p", """{"app": "a"}""");
        pod["spec"]!["containers"]![0]!["ports"] = Fixtures.Json("""[{"name": "http", "containerPort": 8000}]""");
        await _client.CreateAsync(pods, pod);
        await _client.CreateAsync(
            Services,
            Fixtures.Json(
                """{"metadata": {"name": "s"}, "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": "http"}]}}"""));
        var status = Fixtures.Json(
            """{"status": {"phase": "Running", "podIP": "127.9.0.1", "conditions": [{"type": "Ready", "status": "False"}]}}""");
        await _client.MergeAsync($"{pods}/p/status", status.DeepClone());
        await SliceAsync(slice => Endpoint(slice) is { } one && (string?)one["addresses"]![0] == "127.9.0.1" && !Ready(one));
        status["status"]!["conditions"]![0]!["status"] = "True";
        await _client.MergeAsync($"{pods}/p/status", status);
        var ready = await SliceAsync(slice => Endpoint(slice) is { } one && Ready(one));
        Assert.Equal((8000, "p"), ((int)ready["ports"]![0]!["port"]!, (string)Endpoint(ready)!["targetRef"]!["name"]!));

        await _client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Services}/s");
        await Eventually.True(async () => (await SlicesAsync()).Count == 0, "the slice goes with its service");
    }

    [Theory]
    [InlineData("/apis/batch/v1/namespaces/default/jobs", "Job")]
    [InlineData("/apis/batch/v1/namespaces/default/cronjobs", "CronJob")]
    [InlineData("/apis/apps/v1/namespaces/default/statefulsets", "StatefulSet")]
    [InlineData("/apis/networking.k8s.io/v1/namespaces/default/ingresses", "Ingress")]
    [InlineData("/api/v1/namespaces/default/resourcequotas", "ResourceQuota")]
    public async Task A_kind_that_nothing_is_done_for_is_refused_by_name_with_what_local_mode_is_for(string path, string kind)
    {
        Assert.Empty((JsonArray)(await _client.GetAsync(path))["items"]!);
        var refused = await _client.ExpectAsync(
            HttpStatusCode.Forbidden, HttpMethod.Post, path, Fixtures.Json("""{"metadata": {"name": "a"}}"""));
        Assert.Contains(
            $"{kind} is not supported: local mode serves ModelDeployments", (string?)refused["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deployment_is_stored_with_the_warning_that_it_does_not_run()
    {
        using var answer = await _client.SendAsync(
            HttpMethod.Post, "/apis/apps/v1/namespaces/default/deployments",
            Fixtures.Json(
                """{"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}}"""));
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Contains(
            "Deployments are stored and no pods are started for them", Assert.Single(answer.Headers.GetValues("Warning")),
            StringComparison.Ordinal);
    }

    private async Task<JsonArray> SlicesAsync() =>
        (JsonArray)(await _client.GetAsync("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"))["items"]!;

    private async Task<JsonObject> SliceAsync(Func<JsonObject, bool> condition)
    {
        JsonObject? found = null;
        await Eventually.True(
            async () => (found = (await SlicesAsync()).OfType<JsonObject>().FirstOrDefault()) is not null && condition(found),
            "the slice of the service");
        return found!;
    }

    private static JsonNode? Endpoint(JsonObject slice) => ((JsonArray)slice["endpoints"]!).FirstOrDefault();

    private static bool Ready(JsonNode endpoint) => (bool)endpoint["conditions"]!["ready"]!;
}
