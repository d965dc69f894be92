using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

public sealed class CrudTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private ApiClient Client => fixture.Client;

    [Fact]
    public async Task A_request_without_the_token_is_unauthorized_and_health_is_public()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/pods");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "wrong");
        using var refused = await Client.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal("Unauthorized", (string?)JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["reason"]);

        using var health = new HttpRequestMessage(HttpMethod.Get, "/readyz");
        health.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "wrong");
        Assert.Equal(HttpStatusCode.OK, (await Client.Http.SendAsync(health)).StatusCode);
    }

    [Fact]
    public void The_kubeconfig_can_be_read_by_its_owner_only()
    {
        var folder = Directory.CreateTempSubdirectory("kubeconfig-test-");
        var path = System.IO.Path.Combine(folder.FullName, "config");
        fixture.Server.WriteKubeconfig(path);
        if (!System.OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
        Assert.Contains(fixture.Server.Token, File.ReadAllText(path));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Create_sets_identity_and_the_second_create_conflicts()
    {
        var space = await fixture.NewNamespaceAsync();
        var created = await Client.CreateAsync(
            Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a", """{"uid": "mine", "creationTimestamp": "1999-01-01T00:00:00Z"}"""));
        Assert.Equal(space, (string?)created["metadata"]!["namespace"]);
        Assert.NotEqual("mine", (string?)created["metadata"]!["uid"]);
        Assert.NotEqual("1999-01-01T00:00:00Z", (string?)created["metadata"]!["creationTimestamp"]);
        var again = await Client.ExpectAsync(
            HttpStatusCode.Conflict, HttpMethod.Post, Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a"));
        Assert.Equal("AlreadyExists", (string?)again["reason"]);
        Assert.Equal("configmaps \"a\" already exists", (string?)again["message"]);
    }

    [Fact]
    public async Task GenerateName_makes_distinct_names()
    {
        var space = await fixture.NewNamespaceAsync();
        var body = Fixtures.Json("""{"metadata": {"generateName": "job-"}}""");
        var first = await Client.CreateAsync(Fixtures.ConfigMapsIn(space), body);
        var second = await Client.CreateAsync(Fixtures.ConfigMapsIn(space), body.DeepClone());
        Assert.Matches("^job-[a-z0-9]{5}$", (string?)first["metadata"]!["name"]);
        Assert.NotEqual((string?)first["metadata"]!["name"], (string?)second["metadata"]!["name"]);
    }

    [Fact]
    public async Task Create_needs_an_existing_namespace_and_a_valid_name()
    {
        var missing = await Client.ExpectAsync(
            HttpStatusCode.NotFound, HttpMethod.Post, Fixtures.ConfigMapsIn("nowhere"), Fixtures.ConfigMap("a"));
        Assert.Equal("namespaces \"nowhere\" not found", (string?)missing["message"]);
        var space = await fixture.NewNamespaceAsync();
        var invalid = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("Not_Valid"));
        Assert.Equal("metadata.name", (string?)invalid["details"]!["causes"]![0]!["field"]);
        await Client.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Post, Fixtures.ConfigMapsIn(space),
            Fixtures.ConfigMap("a", """{"namespace": "default"}"""));
        await Client.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Post, Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a", """{"labels": {"n": 1}}"""));
    }

    [Fact]
    public async Task A_body_that_is_not_json_too_deep_or_too_large_is_refused()
    {
        var path = Fixtures.ConfigMapsIn("default");
        async Task<HttpStatusCode> PostAsync(string text, string type = "application/json") =>
            (await Client.Http.PostAsync(path, new StringContent(text, Encoding.UTF8, type))).StatusCode;
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync("{"));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync("{}{}"));
        Assert.Equal(
            HttpStatusCode.BadRequest, await PostAsync(string.Concat(Enumerable.Repeat("{\"a\":", 200)) + "1" + new string('}', 200)));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await PostAsync("<a/>", "application/xml"));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await PostAsync($"{{\"data\":{{\"a\":\"{new string('x', 4 << 20)}\"}}}}"));
    }

    [Fact]
    public async Task A_yaml_alias_bomb_is_refused()
    {
        var text = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for (var i = 1; i < 9; i++)
        {
            text.Append($"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        }
        using var response = await Client.Http.PostAsync(
            Fixtures.ConfigMapsIn("default"), new StringContent(text.ToString(), Encoding.UTF8, "application/yaml"));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task A_yaml_body_creates()
    {
        var space = await fixture.NewNamespaceAsync();
        const string Yaml = "metadata:\n  name: from-yaml\ndata:\n  a: \"1\"\n  b: plain text\n";
        using var response = await Client.Http.PostAsync(
            Fixtures.ConfigMapsIn(space), new StringContent(Yaml, Encoding.UTF8, "application/yaml"));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("plain text", (string?)(await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}/from-yaml"))["data"]!["b"]);
    }

    [Fact]
    public async Task Update_with_a_stale_version_conflicts_and_without_change_keeps_the_version()
    {
        var space = await fixture.NewNamespaceAsync();
        var path = $"{Fixtures.ConfigMapsIn(space)}/a";
        var created = await Client.CreateAsync(Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a"));
        var same = await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Put, path, created.DeepClone());
        Assert.Equal((string?)created["metadata"]!["resourceVersion"], (string?)same["metadata"]!["resourceVersion"]);

        var changed = created.DeepClone();
        changed["data"]!["a"] = "2";
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Put, path, changed.DeepClone());
        changed["data"]!["a"] = "3";
        var conflict = await Client.ExpectAsync(HttpStatusCode.Conflict, HttpMethod.Put, path, changed);
        Assert.Equal(
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest "
            + "version and try again", (string?)conflict["message"]);
    }

    [Fact]
    public async Task A_custom_resource_needs_a_version_to_be_updated()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.WidgetsIn(space), Fixtures.Widget("w"));
        var refused = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Put, $"{Fixtures.WidgetsIn(space)}/w", Fixtures.Widget("w"));
        Assert.Contains("metadata.resourceVersion: Invalid value: 0x0: must be specified for an update", (string?)refused["message"]);
    }

    [Fact]
    public async Task Racing_patches_all_land()
    {
        var space = await fixture.NewNamespaceAsync();
        var path = $"{Fixtures.ConfigMapsIn(space)}/a";
        await Client.CreateAsync(Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a"));
        await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Client.MergeAsync(path, Fixtures.Json($$"""{"data": {"k{{i}}": "v"} }"""))));
        Assert.Equal(7, ((JsonObject)(await Client.GetAsync(path))["data"]!).Count);
    }

    [Fact]
    public async Task Dry_run_changes_nothing()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.ExpectAsync(
            HttpStatusCode.Created, HttpMethod.Post, $"{Fixtures.ConfigMapsIn(space)}?dryRun=All", Fixtures.ConfigMap("a"));
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{Fixtures.ConfigMapsIn(space)}/a");
        await Client.CreateAsync(Fixtures.ConfigMapsIn(space), Fixtures.ConfigMap("a"));
        await Client.ExpectAsync(HttpStatusCode.OK, HttpMethod.Delete, $"{Fixtures.ConfigMapsIn(space)}/a?dryRun=All");
        var patched = await Client.MergeAsync($"{Fixtures.ConfigMapsIn(space)}/a?dryRun=All", Fixtures.Json("""{"data": {"a": "9"}}"""));
        Assert.Equal("9", (string?)patched["data"]!["a"]);
        Assert.Equal("1", (string?)(await Client.GetAsync($"{Fixtures.ConfigMapsIn(space)}/a"))["data"]!["a"]);
        await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, $"{Fixtures.ConfigMapsIn(space)}?dryRun=Some", Fixtures.ConfigMap("b"));
    }

    [Fact]
    public async Task Unknown_paths_and_methods_answer_with_a_status()
    {
        Assert.Equal(
            "NotFound", (string?)(await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, "/apis/none/v1/things"))["reason"]);
        Assert.Equal(
            "MethodNotAllowed",
            (string?)(await Client.ExpectAsync(
                HttpStatusCode.MethodNotAllowed, HttpMethod.Post, "/api/v1/pods", new JsonObject()))["reason"]);
        await Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, "/api/v1/namespaces/default/pods/x/exec");
    }

    [Fact]
    public async Task Secrets_take_plain_text_and_keep_base64()
    {
        var space = await fixture.NewNamespaceAsync();
        var secret = await Client.CreateAsync(
            $"/api/v1/namespaces/{space}/secrets", Fixtures.Json("""{"metadata": {"name": "s"}, "stringData": {"a": "hello"}}"""));
        Assert.Equal("aGVsbG8=", (string?)secret["data"]!["a"]);
        Assert.Null(secret["stringData"]);
        Assert.Equal("Opaque", (string?)secret["type"]);
    }
}
