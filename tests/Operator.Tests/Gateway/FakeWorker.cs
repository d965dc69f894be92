using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>A worker without a model: its tokens follow from prompt, seed and position alone, as a real one's do, so that every fake worker
/// goes on with what another has begun. Speaks the contract between gateway and worker on the worker's own ports, at a loopback address of
/// its own. Tests break it at chosen events.</summary>
internal sealed class FakeWorker : IAsyncDisposable
{
    private readonly string _address;
    private readonly string _key;
    private WebApplication? _app;

    private FakeWorker(string address, string key) => (_address, _key) = (address, key);

    /// <summary>Called before every event that is sent, with the call and the event's number among those it sends.</summary>
    public Func<HttpContext, int, Task>? BeforeEvent { get; set; }

    /// <summary>Answers a call in its own way; returns false to have it answered as a worker does.</summary>
    public Func<HttpContext, Task<bool>>? Instead { get; set; }

    /// <summary>What <c>/health</c> and <c>/ready</c> say.</summary>
    public Func<Task<bool>> IsWell { get; set; } = () => Task.FromResult(true);

    public string Metrics { get; set; } = "";

    /// <summary>Envelopes as they came.</summary>
    public ConcurrentQueue<JsonObject> Calls { get; } = new();

    public int Ended => _ended;

    /// <summary>Headers of all calls.</summary>
    public ConcurrentQueue<IReadOnlyDictionary<string, string>> Headers { get; } = new();

    private int _ended;

    public static async Task<FakeWorker> StartAsync(string address, string key)
    {
        var worker = new FakeWorker(address, key);
        await worker.StartAsync();
        return worker;
    }

    /// <summary>Its process ends, and with it all connections, in the middle of whatever they carry.</summary>
    public async Task KillAsync()
    {
        if (_app is { } app)
        {
            _app = null;
            using var now = new CancellationTokenSource();
            await now.CancelAsync();
            await app.StopAsync(now.Token);
            await app.DisposeAsync();
        }
    }

    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Parse(_address), 8000, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Parse(_address), 50051, listen => listen.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        app.MapGet("/health", ProbeAsync);
        app.MapGet("/ready", ProbeAsync);
        app.MapGet("/metrics", () => Metrics);
        app.MapPost("/tokenize", context => context.Response.WriteAsJsonAsync(new { tokens = new[] { 1, 2 }, worker = _address }));
        app.MapPost("/cluster.v1.TextGeneration/{method}", CallAsync);
        app.MapPost("/{**path}", AnswerAsync);
        await app.StartAsync();
        _app = app;
    }

    public async ValueTask DisposeAsync() => await KillAsync();

    /// <summary>The whole stream that a client of an undisturbed worker gets.</summary>
    public static string Expected(JsonObject body, string id, long created, int seed)
    {
        var events = Events(body, id, created, seed);
        return string.Concat(events.Select(one => one.Data));
    }

    public static int Token(string prompt, int seed, int choice, int position)
    {
        var hash = (uint)seed;
        foreach (var c in prompt)
        {
            hash = (hash * 31) + c;
        }

        hash = (hash * 2654435761u) + (uint)(choice * 7919) + (uint)position;
        hash ^= hash >> 15;
        return (int)(hash * 2246822519u % 50000);
    }

    /// <summary>What a stream of this request is: the part of every event that clients see, its choice and its tokens.</summary>
    private static List<(string Data, int? Choice, int[] Tokens)> Events(JsonObject body, string id, long created, int seed)
    {
        var prompt = (body["messages"] ?? body["prompt"])!.ToJsonString();
        var n = (int?)body["n"] ?? 1;
        var most = (int?)body["max_tokens"] ?? 8;
        seed = (int?)body["seed"] ?? seed;
        List<(string, int?, int[])> events = [];
        for (var choice = 0; choice < n; choice++)
        {
            var role = $"{{\"id\":\"chatcmpl-{id}\",\"created\":{created},\"index\":{choice},\"role\":\"assistant\"}}";
            events.Add((Event(role), choice, []));
        }

        for (var i = 0; i < most; i++)
        {
            for (var choice = 0; choice < n; choice++)
            {
                // Every third token is silent, as half a character is: the next event tells two.
                var token = Token(prompt, seed, choice, i);
                if (i % 3 == 1 && i + 1 < most)
                {
                    continue;
                }

                int[] tokens = i % 3 == 2 ? [Token(prompt, seed, choice, i - 1), token] : [token];
                var words = string.Concat(tokens.Select(t => $"w{t} "));
                events.Add((Event($"{{\"index\":{choice},\"content\":\"{words}\"}}"), choice, tokens));
            }
        }

        for (var choice = 0; choice < n; choice++)
        {
            events.Add((Event($"{{\"index\":{choice},\"finish_reason\":\"length\"}}"), choice, []));
        }

        events.Add((Event($"{{\"choices\":[],\"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":{most * n}}}}}"), null, []));
        events.Add((Event("[DONE]"), null, []));
        return events;
    }

    private static string Event(string data) => $"data: {data}\n\n";

    private async Task ProbeAsync(HttpContext context) =>
        context.Response.StatusCode = await IsWell() ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;

    private async Task AnswerAsync(HttpContext context)
    {
        Headers.Enqueue(context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString()));
        if (Instead is { } instead && await instead(context))
        {
            return;
        }

        if (context.Request.Headers[GatewayKey.Header] != _key
            || context.Request.ContentType != "application/vnd.cluster.request+json")
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }

        var envelope = (await JsonNode.ParseAsync(context.Request.Body))!.AsObject();
        Calls.Enqueue(envelope);
        var body = envelope["request"]!.AsObject();
        var (id, created, seed) = ((string)envelope["id"]!, (long)envelope["created"]!, (int)envelope["seed"]!);
        if ((bool?)body["stream"] != true)
        {
            await (BeforeEvent?.Invoke(context, 0) ?? Task.CompletedTask);
            await context.Response.WriteAsJsonAsync(new JsonObject
            {
                ["id"] = $"chatcmpl-{id}",
                ["text"] = Expected(body, id, created, seed),
                ["usage"] = new JsonObject { ["prompt_tokens"] = 7, ["completion_tokens"] = 8 },
            });
            return;
        }

        await StreamAsync(context, envelope, Events(body, id, created, seed));
    }

    /// <summary>Checks what it is told of the client's state against its own tokens, and goes on from there.</summary>
    private async Task StreamAsync(HttpContext context, JsonObject envelope, List<(string Data, int? Choice, int[] Tokens)> events)
    {
        var choices = envelope["choices"] as JsonArray ?? [];
        var skip = choices.Select(choice => (int)choice!["events"]!).ToList();
        var trailing = (int)envelope["trailing"]!;
        var given = choices.Select(choice => choice!["tokens"]!.AsArray().Select(token => (int)token!).ToList()).ToList();
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        var sent = 0;
        try
        {
            foreach (var (data, choice, tokens) in events)
            {
                if (choice is { } index ? index < skip.Count && skip[index]-- > 0 : trailing-- > 0)
                {
                    if (choice is { } of)
                    {
                        Assert.Equal(tokens, given[of].Take(tokens.Length));
                        given[of].RemoveRange(0, tokens.Length);
                    }

                    continue;
                }

                await (BeforeEvent?.Invoke(context, sent) ?? Task.CompletedTask);
                var mark = choice is null ? ": cluster -" : $": cluster {choice} {string.Join(',', tokens)}".TrimEnd();
                await context.Response.WriteAsync($"{mark}\n{data}");
                await context.Response.Body.FlushAsync(context.RequestAborted);
                sent++;
            }
        }
        finally
        {
            Interlocked.Increment(ref _ended);
        }
    }

    /// <summary>GenerateStream in bytes: request {prompt = 3, sampling = 6 {max_tokens = 10}, envelope = 15000}, answers {text = 3,
    /// token_ids = 4}.</summary>
    private async Task CallAsync(HttpContext context, string method)
    {
        Headers.Enqueue(context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString()));
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var (prompt, most, envelope) = FakeGrpc.ReadRequest(body.ToArray()[5..]);
        context.Response.ContentType = "application/grpc";
        if (context.Request.Headers[GatewayKey.Header] != _key
            || (envelope is null && method.StartsWith("Generate", StringComparison.Ordinal)))
        {
            context.Response.AppendTrailer("grpc-status", "7");
            await context.Response.StartAsync();
            return;
        }

        if (envelope is not null)
        {
            Calls.Enqueue(envelope);
            var seed = (int)envelope["seed"]!;
            var events = (envelope["choices"] as JsonArray)?.FirstOrDefault()?["events"] is { } count ? (int)count : 0;
            if (method == "Generate")
            {
                await (BeforeEvent?.Invoke(context, 0) ?? Task.CompletedTask);
                int[] tokens = [.. Enumerable.Range(0, most).Select(i => Token(prompt, seed, 0, i))];
                await context.Response.Body.WriteAsync(FakeGrpc.Answer(tokens));
            }
            else
            {
                for (var i = events; i < most; i++)
                {
                    await (BeforeEvent?.Invoke(context, i - events) ?? Task.CompletedTask);
                    await context.Response.Body.WriteAsync(FakeGrpc.Answer([Token(prompt, seed, 0, i)]));
                    await context.Response.Body.FlushAsync();
                }
            }
        }
        else
        {
            await context.Response.Body.WriteAsync(FakeGrpc.Answer([1, 2, 3]));
        }

        context.Response.AppendTrailer("grpc-status", "0");
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
