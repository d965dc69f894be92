using System.Net;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Protos.Vllm;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Grpc;
using Cluster.Worker.Serving.Parsing;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>A real Kestrel on a free loopback port that serves gRPC over h2c for a <see cref="FakeEngine"/>.</summary>
internal sealed class GrpcTestServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private GrpcTestServer(WebApplication app, ServingState state, FakeEngine engine, ManualTime time, RecordedLog log)
    {
        _app = app;
        State = state;
        Engine = engine;
        Time = time;
        Log = log;
        Channel = GrpcClients.Open(Address, new SocketsHttpHandler { InitialHttp2StreamWindowSize = 65_535 });
        Raw = new GrpcTestClient(Address);
    }

    public ServingState State { get; }

    public FakeEngine Engine { get; }

    public ManualTime Time { get; }

    public RecordedLog Log { get; }

    public GrpcChannel Channel { get; }

    public TextGeneration.TextGenerationClient Text => new(Channel);

    public VllmEngine.VllmEngineClient Vllm => new(Channel);

    public Health.HealthClient Health => new(Channel);

    /// <summary>For what the library's client would not send, and for what it does not show.</summary>
    public GrpcTestClient Raw { get; }

    public Uri Address => new(_app.Urls.Single());

    /// <param name="ready">False leaves the worker loading; <see cref="BecomeReady"/> ends that.</param>
    /// <param name="http1">Listens as an HTTP port does, without HTTP/2.</param>
    public static async Task<GrpcTestServer> StartAsync(
        FakeEngine? engine = null,
        GrpcOptions? options = null,
        bool ready = true,
        bool http1 = false)
    {
        var time = new ManualTime();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var log = new RecordedLog();
        builder.Logging.AddProvider(log);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            if (http1)
            {
                kestrel.Listen(IPAddress.Loopback, 0, listener => listener.Protocols = HttpProtocols.Http1);
            }
            else
            {
                kestrel.ListenGrpc(IPAddress.Loopback, 0, _ => { });
            }
        });
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        var state = new ServingState(time);
        builder.Services.AddGrpcServing(state, options ?? new GrpcOptions());
        var app = builder.Build();
        app.UseGrpcServing();
        app.MapGet("/health", () => "alive");
        app.MapPost("/v1/completions", (HttpContext context) => context.Request.ContentType ?? "");
        await app.StartAsync();
        var server = new GrpcTestServer(app, state, engine ?? new FakeEngine(), time, log);
        if (ready)
        {
            server.BecomeReady();
        }

        return server;
    }

    public void BecomeReady(bool withChatTemplate = true, OutputFormats? formats = null) => State.BecomeReady(
        new ServedModel(
            ["fake", "alias"], "/models/fake", Engine, new FakeTokenizer(), withChatTemplate ? new FakeChatTemplate() : null, ["0"])
        {
            Formats = formats ?? OutputFormats.Default,
        });

    /// <summary>Stops as SIGTERM does and waits for running calls, however long.</summary>
    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        Raw.Dispose();
        await _app.DisposeAsync();
    }
}
