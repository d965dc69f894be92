using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>A running server and an HTTP client that trusts only its authority. Every test works in a namespace of its own, so tests share
/// one server.</summary>
public sealed class ApiServerFixture : IAsyncLifetime
{
    private static int _lastNamespace;

    internal LocalApiServer Server { get; private set; } = null!;

    internal RecordingLogSource Logs { get; } = new();

    internal ApiClient Client { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Server = await LocalApiServer.StartAsync(new LocalApiServerOptions { PodLogs = Logs }, CancellationToken.None);
        Client = new ApiClient(Server);
        await Client.ExpectAsync(
            HttpStatusCode.Created, HttpMethod.Post, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            Fixtures.WidgetDefinition());
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
    }

    internal async Task<string> NewNamespaceAsync()
    {
        var name = $"test-{Interlocked.Increment(ref _lastNamespace)}";
        await Client.ExpectAsync(
            HttpStatusCode.Created, HttpMethod.Post, "/api/v1/namespaces",
            new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } });
        return name;
    }
}

/// <summary>Writes a fixed log and remembers what it was asked.</summary>
internal sealed class RecordingLogSource : IPodLogSource
{
    public PodLogOptions? LastOptions { get; private set; }

    public async Task WriteLogAsync(
        string @namespace, string pod, string container, PodLogOptions options, Stream output, CancellationToken cancellationToken)
    {
        LastOptions = options;
        await output.WriteAsync(Encoding.UTF8.GetBytes($"hello from {@namespace}/{pod}/{container}\n"), cancellationToken);
    }
}

/// <summary>The raw HTTP of the API with assertions on the status.</summary>
internal sealed class ApiClient : IDisposable
{
    private readonly HttpClient _http;

    public ApiClient(LocalApiServer server)
        : this(new ServerAccess(server.BaseAddress, server.CaCertificatePem, server.Token))
    {
    }

    public ApiClient(ServerAccess server) => _http = server.NewHttpClient();

    public HttpClient Http => _http;

    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, JsonNode? body = null, string contentType = "application/json", string? accept = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, contentType);
        }
        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept", accept);
        }
        return await _http.SendAsync(request);
    }

    public async Task<JsonObject> ExpectAsync(
        HttpStatusCode status, HttpMethod method, string path, JsonNode? body = null, string contentType = "application/json",
        string? accept = null)
    {
        using var response = await SendAsync(method, path, body, contentType, accept);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(status == response.StatusCode, $"{method} {path}: expected {(int)status}, got {(int)response.StatusCode}: {text}");
        return JsonNode.Parse(text) as JsonObject ?? [];
    }

    public Task<JsonObject> GetAsync(string path) => ExpectAsync(HttpStatusCode.OK, HttpMethod.Get, path);

    public Task<JsonObject> CreateAsync(string path, JsonNode body) => ExpectAsync(HttpStatusCode.Created, HttpMethod.Post, path, body);

    public Task<JsonObject> PatchAsync(string path, JsonNode body, string contentType) =>
        ExpectAsync(HttpStatusCode.OK, HttpMethod.Patch, path, body, contentType);

    public Task<JsonObject> MergeAsync(string path, JsonNode body) => PatchAsync(path, body, "application/merge-patch+json");

    public async Task<JsonObject> ApplyAsync(string path, JsonNode body, string manager, bool force = false)
    {
        using var response = await SendAsync(
            HttpMethod.Patch, $"{path}?fieldManager={manager}&force={(force ? "true" : "false")}", body, "application/apply-patch+yaml");
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return (JsonObject)JsonNode.Parse(text)!;
    }

    /// <summary>Reads with retries until the answer satisfies the condition: for what happens in the background.</summary>
    public async Task<HttpResponseMessage> EventuallyAsync(string path, Func<HttpResponseMessage, bool> condition)
    {
        HttpResponseMessage? response = null;
        await Eventually.True(
            async () =>
            {
                response?.Dispose();
                response = await _http.GetAsync(path);
                return condition(response);
            },
            $"the awaited answer of {path}");
        return response!;
    }

    public void Dispose() => _http.Dispose();
}
