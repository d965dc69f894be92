using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Kubernetes;

public class KubernetesClientTests
{
    private const string PodJson =
        """{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"team","resourceVersion":"5"},"spec":{"nodeName":"n1","hostNetwork":true}}""";
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Every_request_carries_token_user_agent_and_accept()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, PodJson).Client();
        var pod = await client.GetAsync<V1Pod>("team", "p", None);

        var request = Assert.Single(server.Requests);
        Assert.Equal(("GET", "/api/v1/namespaces/team/pods/p"), (request.Method, request.Target));
        Assert.Equal("Bearer secret-token", request.Headers["Authorization"]);
        Assert.Matches(@"^cluster-operator/\d+\.\d+\.\d+ \(\w+/\w+\)$", request.Headers["User-Agent"]);
        Assert.Equal("application/json", request.Headers["Accept"]);
        Assert.Equal(("n1", true), (pod.Spec.NodeName, pod.Spec.HostNetwork));
    }

    [Fact]
    public async Task Groups_scopes_and_subresources_have_their_paths()
    {
        const string Any = """{"metadata":{"name":"x"}}""";
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, Any).Then(200, Any).Then(200, Any).Then(200, Any).Client();
        await client.GetAsync<V1Node>(null, "node-1", None);
        await client.GetAsync<V1Lease>("kube-system", "leader", None);
        await client.PatchAsync<ModelDeployment>(
            "team", "m", PatchType.Merge, new JsonObject { ["status"] = new JsonObject() }, "status", None);
        await client.ReplaceAsync<ModelDeployment>(
            new JsonObject
            {
                ["apiVersion"] = "autoscaling/v1",
                ["kind"] = "Scale",
                ["metadata"] = new JsonObject { ["name"] = "m", ["namespace"] = "team" },
                ["spec"] = new JsonObject { ["replicas"] = 3 }
            },
            "scale",
            None);
        Assert.Equal(
            [
                "/api/v1/nodes/node-1",
                "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/leader",
                "/apis/serving.cluster.sh/v1alpha1/namespaces/team/modeldeployments/m/status",
                "/apis/serving.cluster.sh/v1alpha1/namespaces/team/modeldeployments/m/scale",
            ],
            server.Requests.Select(request => request.Target.Split('?')[0]));
        Assert.Equal("Scale", (string)JsonNode.Parse(server.Requests[3].Body)!["kind"]!);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("a%2fb")]
    public async Task A_name_that_would_change_the_path_is_refused(string name)
    {
        using var client = KubernetesClient.Create(ClientConfiguration.ForToken(new Uri("http://127.0.0.1:1"), "t"));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetAsync<V1Pod>("team", name, None));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetAsync<V1Pod>(name, "p", None));
    }

    [Fact]
    public async Task Scope_and_namespace_must_fit()
    {
        using var client = KubernetesClient.Create(ClientConfiguration.ForToken(new Uri("http://127.0.0.1:1"), "t"));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetAsync<V1Node>("team", "n", None));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetAsync<V1Pod>(null, "p", None));
    }

    [Fact]
    public async Task A_server_behind_a_path_prefix_keeps_it()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(200, PodJson);
        using var client = KubernetesClient.Create(ClientConfiguration.ForToken(new Uri(server.Address, "/k8s/clusters/c1/"), "t"));
        await client.GetAsync<V1Pod>("team", "p", None);
        Assert.Equal("/k8s/clusters/c1/api/v1/namespaces/team/pods/p", server.Requests[0].Target);
    }

    [Fact]
    public async Task Create_fills_in_kind_and_namespace_and_leaves_the_manifest_alone()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(201, PodJson).Client();
        JsonObject manifest = new() { ["metadata"] = new JsonObject { ["generateName"] = "p-" } };
        await client.CreateAsync<V1Pod>(manifest, None);

        Assert.Equal(
            "POST /api/v1/namespaces/default/pods?fieldManager=cluster-operator&fieldValidation=Strict",
            $"{server.Requests[0].Method} {server.Requests[0].Target}");
        Assert.Equal("""{"metadata":{"generateName":"p-"},"apiVersion":"v1","kind":"Pod"}""", server.Requests[0].Body);
        Assert.Equal("application/json", server.Requests[0].Headers["Content-Type"]);
        Assert.False(manifest.ContainsKey("kind"));
    }

    [Theory]
    [InlineData(PatchType.Merge, "application/merge-patch+json")]
    [InlineData(PatchType.StrategicMerge, "application/strategic-merge-patch+json")]
    [InlineData(PatchType.Json, "application/json-patch+json")]
    public async Task Each_patch_has_its_content_type(object type, string contentType)
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, PodJson).Client();
        await client.PatchAsync<V1Pod>("team", "p", (PatchType)type, new JsonArray(), null, None);
        Assert.Equal(
            ("PATCH", contentType, "[]"), (server.Requests[0].Method, server.Requests[0].Headers["Content-Type"], server.Requests[0].Body));
    }

    [Fact]
    public async Task Apply_names_its_manager_and_forces_when_told()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, PodJson).Then(200, PodJson).Client();
        var manifest = JsonNode.Parse(PodJson)!.AsObject();
        await client.ApplyAsync<V1Pod>(manifest, "my manager", force: true, null, None);
        await client.ApplyAsync<V1Pod>(manifest, "m", force: false, "status", None);
        Assert.Equal("application/apply-patch+yaml", server.Requests[0].Headers["Content-Type"]);
        Assert.Equal(
            "/api/v1/namespaces/team/pods/p?fieldManager=my%20manager&force=true&fieldValidation=Strict", server.Requests[0].Target);
        Assert.Equal("/api/v1/namespaces/team/pods/p/status?fieldManager=m&fieldValidation=Strict", server.Requests[1].Target);
    }

    [Fact]
    public async Task Delete_sends_preconditions_and_grace()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, """{"kind":"Status","status":"Success"}""").Then(202, PodJson).Client();
        await client.DeleteAsync<V1Pod>("team", "p", "uid-1", 0, None);
        await client.DeleteAsync<V1Pod>("team", "p", null, null, None);
        Assert.Equal(
            """{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background","preconditions":{"uid":"uid-1"},"gracePeriodSeconds":0}""",
            server.Requests[0].Body);
        Assert.Equal("""{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"}""", server.Requests[1].Body);
        Assert.All(server.Requests, request => Assert.Equal("DELETE", request.Method));
    }

    [Fact]
    public async Task Logs_are_read_as_text()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, "line 1\nzeile 2 ü\n").Client();
        Assert.Equal("line 1\nzeile 2 ü\n", await client.ReadLogAsync("team", "p", "worker", 20, previous: true, None));
        Assert.Equal(
            "/api/v1/namespaces/team/pods/p/log?container=worker&tailLines=20&limitBytes=16777216&previous=true",
            server.Requests[0].Target);
    }

    [Theory]
    [InlineData(
        404, """{"kind":"Status","status":"Failure","message":"pods \"p\" not found","reason":"NotFound","code":404}""", "NotFound",
        "pods \"p\" not found")]
    [InlineData(
        409, """{"kind":"Status","message":"the object has been modified","reason":"Conflict","code":409}""", "Conflict",
        "the object has been modified")]
    [InlineData(
        409, """{"kind":"Status","message":"already exists","reason":"AlreadyExists","code":409}""", "AlreadyExists", "already exists")]
    [InlineData(422, """{"kind":"Status","message":"is invalid","reason":"Invalid","code":422}""", "Invalid", "is invalid")]
    [InlineData(410, """{"kind":"Status","message":"too old","reason":"Expired","code":410}""", "Expired", "too old")]
    [InlineData(403, """{"kind":"Status","code":403}""", "Forbidden", "answered 403 without a message")]
    [InlineData(502, "<html>bad gateway</html>", "Unknown", "502 Bad Gateway: <html>bad gateway</html>")]
    [InlineData(401, "", "Unauthorized", "401 Unauthorized")]
    [InlineData(500, """["not a status"]""", "InternalError", "not a status")]
    [InlineData(503, "", "ServiceUnavailable", "503")]
    public async Task An_error_status_becomes_an_exception(int code, string body, string reason, string message)
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(code, body).Client();
        var error = await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", None));
        Assert.Equal((code, reason), (error.StatusCode, error.Reason));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-token", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(
            (code == 404, reason == "Conflict", reason == "AlreadyExists", code == 410),
            (error.IsNotFound, error.IsConflict, error.IsAlreadyExists, error.IsGone));
    }

    [Fact]
    public async Task A_very_long_error_text_is_cut()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(500, new string('x', 3 << 20)).Client();
        var error = await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", None));
        Assert.InRange(error.Message.Length, 500, 700);
    }

    [Fact]
    public async Task An_answer_of_another_shape_is_reported_with_its_path()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, """{"spec":{"replicas":"three"}}""").Then(200, "<html>").Client();
        var error = await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<ModelDeployment>("team", "m", None));
        Assert.Equal("UnreadableAnswer", error.Reason);
        Assert.Contains("$.spec.replicas", error.Message, StringComparison.Ordinal);
        Assert.Equal(
            "UnreadableAnswer", (await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", None))).Reason);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_named()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        var address = server.Address;
        await server.DisposeAsync();
        using var client = KubernetesClient.Create(ClientConfiguration.ForToken(address, "t"));
        var error = await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", None));
        Assert.Equal((0, "Unreachable"), (error.StatusCode, error.Reason));
        Assert.Contains(address.AbsoluteUri.TrimEnd('/'), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lists_are_read_in_pages_and_items_know_their_kind()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server
            .Then(200,
                """{"metadata":{"resourceVersion":"9","continue":"a+b/c"},"items":[{"metadata":{"name":"p1"}},{"metadata":{"name":"p2"}}]}""")
            .Then(200, """{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"p3"}}]}""").Client();
        var list = await client.ListAsync<V1Pod>("team", new Selection("a=b,c in (d)", "spec.nodeName=n1"), None);
        Assert.Equal(["p1", "p2", "p3"], list.Items.Select(pod => pod.Metadata.Name));
        Assert.All(list.Items, pod => Assert.Equal(("v1", "Pod"), (pod.ApiVersion, pod.Kind)));
        Assert.Equal("9", list.ResourceVersion);
        Assert.Equal(
            "/api/v1/namespaces/team/pods?limit=500&labelSelector=a%3Db%2Cc%20in%20%28d%29&fieldSelector=spec.nodeName%3Dn1",
            server.Requests[0].Target);
        Assert.Contains("continue=a%2Bb%2Fc", server.Requests[1].Target, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_whose_token_expires_starts_again_and_in_the_end_asks_for_all_at_once()
    {
        const string FirstPage = """{"metadata":{"resourceVersion":"1","continue":"t"},"items":[{"metadata":{"name":"old"}}]}""";
        const string Gone = """{"kind":"Status","reason":"Expired","message":"token expired","code":410}""";
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(200, FirstPage).Then(410, Gone).Then(200, FirstPage).Then(410, Gone)
            .Then(200, """{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"new"}}]}""").Client();
        var list = await client.ListAsync<V1Node>(null, null, None);
        Assert.Equal("new", Assert.Single(list.Items).Metadata.Name);
        Assert.Equal("/api/v1/nodes", server.Requests[4].Target);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task Retry_after_is_obeyed(int status)
    {
        ManualTime time = new();
        await using var server = await ScriptedApiServer.StartAsync();
        // The server's clock is an hour ahead: a date of its is worth what its own Date makes of it.
        var there = time.GetUtcNow().AddHours(1);
        using var client = server.Then(status, "slow down", ("Retry-After", "7"))
            .Then(status, "slow down", ("Date", there.ToString("R")), ("Retry-After", there.AddSeconds(13).ToString("R")))
            .Then(200, PodJson).Client(time);
        var call = client.CreateAsync<V1Pod>(JsonNode.Parse(PodJson)!.AsObject(), None);
        await time.TimerOfAsync(TimeSpan.FromSeconds(7));
        Assert.Single(server.Requests);
        time.Advance(TimeSpan.FromSeconds(7));
        await time.TimerOfAsync(TimeSpan.FromSeconds(13));
        time.Advance(TimeSpan.FromSeconds(13));
        Assert.Equal("p", (await call).Metadata.Name);
        Assert.Equal(3, server.Requests.Count);
        Assert.All(server.Requests, request => Assert.Equal(server.Requests[0].Body, request.Body));
    }

    [Fact]
    public async Task Retries_end()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        for (var i = 0; i < 6; i++)
        {
            server.Then(429, """{"kind":"Status","reason":"TooManyRequests","message":"busy","code":429}""", ("Retry-After", "0"));
        }

        using var client = server.Client();
        var error = await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", None));
        Assert.Equal((429, "busy", 6), (error.StatusCode, error.Message, server.Requests.Count));
    }

    [Fact]
    public async Task A_wait_that_is_too_long_is_left_to_the_caller()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(503, "down for maintenance", ("Retry-After", "3600")).Client();
        Assert.Equal(503, (await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", None))).StatusCode);
    }

    [Fact]
    public async Task An_answer_that_never_comes_ends_by_the_clock()
    {
        ManualTime time = new();
        TaskCompletionSource release = new();
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(_ => release.Task).Client(time);
        var call = client.GetAsync<V1Pod>("team", "p", None);
        await time.TimerOfAsync(TimeSpan.FromSeconds(60));
        time.Advance(TimeSpan.FromSeconds(60));
        var error = await Assert.ThrowsAsync<KubernetesException>(() => call);
        release.SetResult();
        Assert.Equal((0, "Timeout"), (error.StatusCode, error.Reason));
    }

    [Fact]
    public async Task Cancelling_a_call_is_no_error_of_the_server()
    {
        TaskCompletionSource arrived = new();
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(context =>
        {
            arrived.SetResult();
            return Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        }).Client();
        using CancellationTokenSource cancel = new();
        var call = client.GetAsync<V1Pod>("team", "p", cancel.Token);
        await arrived.Task;
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task Redirects_are_not_followed()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(302, "", ("Location", "http://elsewhere.invalid/")).Client();
        Assert.Equal(302, (await Assert.ThrowsAsync<KubernetesException>(() => client.GetAsync<V1Pod>("team", "p", None))).StatusCode);
    }

    [Fact]
    public async Task Compressed_answers_are_unpacked()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        using var client = server.Then(async context =>
        {
            context.Response.Headers.ContentEncoding = "gzip";
            await using GZipStream packed = new(context.Response.Body, CompressionLevel.Fastest);
            await packed.WriteAsync(Encoding.UTF8.GetBytes(PodJson));
        }).Client();
        Assert.Equal("p", (await client.GetAsync<V1Pod>("team", "p", None)).Metadata.Name);
        Assert.Equal("gzip", server.Requests[0].Headers["Accept-Encoding"]);
    }
}
