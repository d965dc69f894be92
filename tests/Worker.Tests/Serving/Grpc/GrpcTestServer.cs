using System.Net;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Grpc;
using Cluster.Worker.Serving.Grpc.Framing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>A real Kestrel on a free loopback port that serves gRPC over h2c for a <see cref="FakeEngine"/>.</summary>
internal sealed class GrpcTestServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private GrpcTestServer(WebApplication app, ServingState state, FakeEngine engine, ManualTime time)
    {
        this.app = app;
        State = state;
        Engine = engine;
        Time = time;
        Client = new GrpcTestClient(new Uri(app.Urls.Single()));
    }

    public ServingState State { get; }

    public FakeEngine Engine { get; }

    public ManualTime Time { get; }

    public GrpcTestClient Client { get; }

    public Uri Address => new(app.Urls.Single());

    /// <param name="ready">False leaves the worker loading; <see cref="BecomeReady"/> ends that.</param>
    public static async Task<GrpcTestServer> StartAsync(
        FakeEngine? engine = null,
        GrpcOptions? options = null,
        bool ready = true,
        HttpProtocols protocols = HttpProtocols.Http2,
        int port = 0)
    {
        var time = new ManualTime();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listener => listener.Protocols = protocols));
        builder.Services.AddSingleton<TimeProvider>(time);
        if (options is not null)
        {
            builder.Services.AddSingleton(options);
        }

        builder.Services.AddGrpcServing();
        var app = builder.Build();
        var state = new ServingState(time);
        app.UseGrpcServing(state);
        app.MapGet("/health", () => "alive");
        app.MapPost("/v1/completions", (HttpContext context) => context.Request.ContentType ?? "");
        await app.StartAsync();
        var server = new GrpcTestServer(app, state, engine ?? new FakeEngine(), time);
        if (ready)
        {
            server.BecomeReady();
        }

        return server;
    }

    public void BecomeReady(bool withChatTemplate = true) => State.BecomeReady(
        new ServedModel(["fake", "alias"], "/models/fake", Engine, new FakeTokenizer(), withChatTemplate ? new FakeChatTemplate() : null, ["0"]));

    public Task StopAsync() => app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await app.DisposeAsync();
    }
}
