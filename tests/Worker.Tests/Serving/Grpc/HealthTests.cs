using Grpc.Core;
using Grpc.Health.V1;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class HealthTests
{
    [Theory]
    [InlineData("")]
    [InlineData("readiness")]
    [InlineData("cluster.v1.TextGeneration")]
    [InlineData("vllm.grpc.engine.VllmEngine")]
    public async Task Readiness_follows_the_worker(string service)
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        Assert.Equal(ServingStatus.NotServing, await CheckAsync(server, service));
        server.BecomeReady();
        Assert.Equal(ServingStatus.Serving, await CheckAsync(server, service));
        server.State.BeginDraining();
        Assert.Equal(ServingStatus.NotServing, await CheckAsync(server, service));
    }

    [Theory]
    [InlineData("liveness")]
    [InlineData("grpc.health.v1.Health")]
    public async Task Liveness_serves_until_the_model_fails(string service)
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        Assert.Equal(ServingStatus.Serving, await CheckAsync(server, service));
        server.State.BeginDraining();
        Assert.Equal(ServingStatus.Serving, await CheckAsync(server, service));
        server.State.Fail("a rank was lost");
        Assert.Equal(ServingStatus.NotServing, await CheckAsync(server, service));
    }

    [Theory]
    [InlineData("")]
    [InlineData("liveness")]
    [InlineData("readiness")]
    public async Task A_hanging_engine_is_neither_alive_nor_ready_and_a_watch_tells(string service)
    {
        var engine = new FakeEngine();
        await using var server = await GrpcTestServer.StartAsync(engine);
        using var call = server.Health.Watch(new HealthCheckRequest { Service = service });
        await NextAsync(call, ServingStatus.Serving);

        engine.Silence = TimeSpan.FromSeconds(60);
        Assert.Equal(ServingStatus.NotServing, await CheckAsync(server, service));
        await NextAsync(call, ServingStatus.NotServing);

        engine.Silence = TimeSpan.Zero;
        server.Time.Advance(TimeSpan.FromSeconds(5));
        await NextAsync(call, ServingStatus.Serving);
    }

    [Fact]
    public async Task Checking_an_unknown_service_is_not_found()
    {
        await using var server = await GrpcTestServer.StartAsync();

        Assert.Equal(
            (StatusCode.NotFound, "service 'Readiness' is not known here"),
            await server.Health.CheckAsync(new HealthCheckRequest { Service = "Readiness" }).FailAsync());
    }

    [Fact]
    public async Task A_watch_tells_each_change_and_ends_when_the_server_stops()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        using var call = server.Health.Watch(new HealthCheckRequest { Service = "readiness" });
        await NextAsync(call, ServingStatus.NotServing);
        server.BecomeReady();
        await NextAsync(call, ServingStatus.Serving);
        server.BecomeReady();
        server.State.BeginDraining();
        await NextAsync(call, ServingStatus.NotServing);
        await server.StopAsync();

        Assert.Equal((StatusCode.Unavailable, "the worker is shutting down"), await call.ResponseStream.FailNextAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("liveness")]
    public async Task A_watcher_of_a_ready_worker_hears_of_the_stop(string service)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = server.Health.Watch(new HealthCheckRequest { Service = service });
        await NextAsync(call, ServingStatus.Serving);
        await server.StopAsync();

        await NextAsync(call, ServingStatus.NotServing);
        Assert.Equal((StatusCode.Unavailable, "the worker is shutting down"), await call.ResponseStream.FailNextAsync());
    }

    [Fact]
    public async Task Watching_an_unknown_service_says_so_and_stays_open()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        using var call = server.Health.Watch(new HealthCheckRequest { Service = "nobody" });
        await NextAsync(call, ServingStatus.ServiceUnknown);
        var next = call.ResponseStream.FailNextAsync();
        server.BecomeReady();
        await CheckAsync(server, "");
        Assert.False(next.IsCompleted);
        await server.StopAsync();
        Assert.Equal(StatusCode.Unavailable, (await next).Status);
    }

    [Fact]
    public async Task A_watch_ends_at_its_deadline()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(
            "/grpc.health.v1.Health/Watch", new HealthCheckRequest(), request => request.Headers.Add("grpc-timeout", "5S"));
        await using var statuses = call.FramesAsync().GetAsyncEnumerator();
        Assert.True(await statuses.MoveNextAsync());
        server.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.False(await statuses.MoveNextAsync());
        Assert.Equal((StatusCode.DeadlineExceeded, "the call's deadline passed"), call.Status);
    }

    private static async Task NextAsync(AsyncServerStreamingCall<HealthCheckResponse> call, ServingStatus expected)
    {
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(expected, call.ResponseStream.Current.Status);
    }

    private static async Task<ServingStatus> CheckAsync(GrpcTestServer server, string service) =>
        (await server.Health.CheckAsync(new HealthCheckRequest { Service = service })).Status;
}
