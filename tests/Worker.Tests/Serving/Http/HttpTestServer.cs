using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Tokenization;
using Microsoft.Extensions.Logging;

namespace Cluster.Worker.Tests.Serving.Http;

/// <summary>A real worker server on loopback over the scripted engine.</summary>
internal sealed class HttpTestServer : IAsyncDisposable
{
    private readonly WorkerServer _server;
    private readonly TimeProvider _time;

    private HttpTestServer(WorkerServer server, ServingState state, TimeProvider time)
    {
        _server = server;
        _time = time;
        State = state;
        Client = new HttpClient { BaseAddress = server.HttpAddress };
    }

    public ServingState State { get; }

    public HttpClient Client { get; }

    public WorkerServer Server => _server;

    public static async Task<HttpTestServer> StartAsync(
        FakeEngine? engine = null, bool ready = true, bool chatTemplate = true, Func<ServerOptions, ServerOptions>? configure = null,
        TimeProvider? time = null, ILoggerProvider? log = null, string modelName = "model", OutputFormats? formats = null,
        IChatTemplate? template = null)
    {
        var state = new ServingState(TimeProvider.System);
        var options = new ServerOptions("127.0.0.1", 0, 0, TimeSpan.FromSeconds(10));
        var server = await WorkerServer.StartAsync(
            configure?.Invoke(options) ?? options,
            state,
            modelName,
            logging =>
            {
                logging.SetMinimumLevel(log is null ? LogLevel.None : LogLevel.Debug);
                if (log is not null)
                {
                    logging.AddProvider(log);
                }
            },
            time ?? TimeProvider.System,
            CancellationToken.None);
        var started = new HttpTestServer(server, state, time ?? TimeProvider.System);
        if (ready)
        {
            started.BecomeReady(engine ?? new FakeEngine(), chatTemplate, formats, template);
        }

        return started;
    }

    public void BecomeReady(
        FakeEngine engine, bool chatTemplate = true, OutputFormats? formats = null, IChatTemplate? template = null,
        SamplingDefaults? defaults = null)
    {
        engine.Observer = _server.Observer;
        engine.Time = _time;
        _server.BecomeReady(
            new ServedModel(
                ["model", "alias"], "/models/model", engine, new FakeTokenizer(), chatTemplate ? template ?? new FakeChatTemplate() : null,
                ["GPU-0123456789abcdef"])
            {
                Formats = formats ?? OutputFormats.Default,
                Defaults = defaults ?? SamplingDefaults.None,
            });
    }

    /// <summary>A body that says it is JSON.</summary>
    public static StringContent Json(string text) => new(text, System.Text.Encoding.UTF8, "application/json");

    /// <summary>Posts JSON and reads a JSON answer.</summary>
    public async Task<(int Status, JsonNode Body)> PostAsync(string path, string json)
    {
        using var content = Json(json);
        using var response = await Client.PostAsync(path, content);
        return ((int)response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>())!);
    }

    /// <summary>Posts JSON and reads the events of the answer; the final <c>[DONE]</c> is checked and left out.</summary>
    public async Task<IReadOnlyList<JsonNode>> StreamAsync(string path, string json)
    {
        using var content = Json(json);
        using var response = await Client.PostAsync(path, content);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        var events = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        return [.. events[..^1].Select(line => JsonNode.Parse(line["data: ".Length..])!)];
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _server.DrainAsync();
        await _server.DisposeAsync();
    }
}
