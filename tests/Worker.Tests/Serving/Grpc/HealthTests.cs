using Cluster.Worker.Protos.Health;
using Cluster.Worker.Serving.Grpc.Framing;
using Xunit;
using ServingStatus = Cluster.Worker.Protos.Health.HealthCheckResponse.Types.ServingStatus;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class HealthTests
{
    private const string Check = "/grpc.health.v1.Health/Check";
    private const string Watch = "/grpc.health.v1.Health/Watch";

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

    [Fact]
    public async Task Liveness_serves_in_every_state()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        Assert.Equal(ServingStatus.Serving, await CheckAsync(server, "liveness"));
        server.State.BeginDraining();
        Assert.Equal(ServingStatus.Serving, await CheckAsync(server, "liveness"));
    }

    [Fact]
    public async Task Checking_an_unknown_service_is_not_found()
    {
        await using var server = await GrpcTestServer.StartAsync();

        Assert.Equal((StatusCode.NotFound, "service 'Readiness' is not known here"), await server.Client.FailAsync(Check, new HealthCheckRequest { Service = "Readiness" }));
    }

    [Fact]
    public async Task A_watch_tells_each_change_and_ends_when_the_server_stops()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        using var call = await server.Client.SendAsync(Watch, new HealthCheckRequest { Service = "readiness" });
        await using var statuses = call.MessagesAsync<HealthCheckResponse>().GetAsyncEnumerator();
        await NextAsync(ServingStatus.NotServing);
        server.BecomeReady();
        await NextAsync(ServingStatus.Serving);
        server.BecomeReady();
        server.State.BeginDraining();
        await NextAsync(ServingStatus.NotServing);
        await server.StopAsync();

        Assert.False(await statuses.MoveNextAsync());
        Assert.Equal(StatusCode.Unavailable, call.Status.Code);

        async Task NextAsync(ServingStatus expected)
        {
            Assert.True(await statuses.MoveNextAsync());
            Assert.Equal(expected, statuses.Current.Status);
        }
    }

    [Fact]
    public async Task A_watcher_of_a_ready_worker_hears_of_the_stop()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Watch, new HealthCheckRequest());
        await using var statuses = call.MessagesAsync<HealthCheckResponse>().GetAsyncEnumerator();
        Assert.True(await statuses.MoveNextAsync());
        await server.StopAsync();

        Assert.True(await statuses.MoveNextAsync());
        Assert.Equal(ServingStatus.NotServing, statuses.Current.Status);
        Assert.False(await statuses.MoveNextAsync());
        Assert.Equal(StatusCode.Unavailable, call.Status.Code);
    }

    [Fact]
    public async Task Watching_an_unknown_service_says_so_and_stays_open()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        using var call = await server.Client.SendAsync(Watch, new HealthCheckRequest { Service = "nobody" });
        await using var statuses = call.MessagesAsync<HealthCheckResponse>().GetAsyncEnumerator();

        Assert.True(await statuses.MoveNextAsync());
        Assert.Equal(ServingStatus.ServiceUnknown, statuses.Current.Status);
        var next = statuses.MoveNextAsync();
        server.BecomeReady();
        await CheckAsync(server, "");
        Assert.False(next.IsCompleted);
        await server.StopAsync();
        Assert.False(await next);
    }

    private static async Task<ServingStatus> CheckAsync(GrpcTestServer server, string service) =>
        (await server.Client.CallAsync<HealthCheckResponse>(Check, new HealthCheckRequest { Service = service })).Status;
}
