using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>gRPC through the gateway.</summary>
public sealed class GrpcRelayTests
{
    private const string Stream = "/cluster.v1.TextGeneration/GenerateStream";

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(7)]
    public async Task A_stream_survives_the_loss_of_its_replica(int lostAt)
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        var left = 1;
        foreach (var worker in world.Workers)
        {
            worker.BeforeEvent = (context, number) =>
            {
                if (number == lostAt && Interlocked.Decrement(ref left) >= 0)
                {
                    context.Abort();
                    throw new InvalidOperationException("the connection is gone");
                }

                return Task.CompletedTask;
            };
        }

        var (status, body) = await CallAsync(world, Stream, FakeGrpc.Request("haiku", "hello", 10));

        Assert.Equal("0", status);
        var seed = (int)world.Workers.SelectMany(worker => worker.Calls).First()["seed"]!;
        Assert.Equal(
            string.Concat(Enumerable.Range(0, 10).Select(i => $"w{FakeWorker.Token("hello", seed, 0, i)} ")), FakeGrpc.Texts(body));
        Assert.Equal(2, world.Workers.Sum(worker => worker.Calls.Count));
    }

    [Fact]
    public async Task Messages_reach_the_client_one_by_one()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);
        var received = 0;
        world.Workers[0].BeforeEvent = (_, number) =>
            Eventually.True(() => Volatile.Read(ref received) >= number, $"the client has {number} messages");
        using var response = await SendAsync(world, Stream, FakeGrpc.Request("haiku", "hello", 12));
        var stream = await response.Content.ReadAsStreamAsync();
        var header = new byte[5];
        for (var i = 0; i < 12; i++)
        {
            await stream.ReadExactlyAsync(header);
            await stream.ReadExactlyAsync(new byte[header[4]]);
            Interlocked.Increment(ref received);
        }

        Assert.Equal(0, await stream.ReadAsync(header));
        Assert.Equal(["0"], response.TrailingHeaders.GetValues("grpc-status"));
    }

    [Fact]
    public async Task A_unary_call_is_made_again()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 2);
        var left = 1;
        foreach (var worker in world.Workers)
        {
            worker.BeforeEvent = (context, _) =>
            {
                if (Interlocked.Decrement(ref left) >= 0)
                {
                    context.Abort();
                    throw new InvalidOperationException("the connection is gone");
                }

                return Task.CompletedTask;
            };
        }

        var (status, body) = await CallAsync(world, "/cluster.v1.TextGeneration/Generate", FakeGrpc.Request("haiku", "hello", 4));

        Assert.Equal("0", status);
        Assert.Equal(4, FakeGrpc.Texts(body).Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal(2, world.Workers.Sum(worker => worker.Calls.Count));
    }

    [Fact]
    public async Task Other_calls_pass_through()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);

        var (status, body) = await CallAsync(world, "/cluster.v1.TextGeneration/Tokenize", FakeGrpc.Request("haiku", "hello", 4));

        Assert.Equal("0", status);
        Assert.Equal("w1 w2 w3 ", FakeGrpc.Texts(body));
    }

    [Theory]
    [InlineData("gpt-5", "5")]
    [InlineData("", "0")]
    public async Task A_call_names_its_model_or_takes_the_only_one(string model, string expected)
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);

        var (status, _) = await CallAsync(world, Stream, FakeGrpc.Request(model, "hello", 2));

        Assert.Equal(expected, status);
    }

    [Fact]
    public async Task What_only_a_gateway_may_send_is_refused()
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);

        // Field 15000 with an empty text.
        var (status, _) = await CallAsync(world, Stream, FakeGrpc.Request("haiku", "hello", 2, 0xC2, 0xA9, 0x07, 0x00));

        Assert.Equal("7", status);
        Assert.Empty(world.Workers[0].Calls);
    }

    [Theory]
    [InlineData("", "0", 1)]
    [InlineData("liveness", "0", 1)]
    [InlineData("haiku", "0", 1)]
    [InlineData("nobody", "5", 0)]
    public async Task Health_is_the_gateways_own(string service, string expected, int serving)
    {
        await using var world = await GatewayWorld.StartAsync(replicas: 1);
        byte[] message = service.Length == 0 ? [] : [10, (byte)service.Length, .. Encoding.ASCII.GetBytes(service)];

        var (status, body) = await CallAsync(world, "/grpc.health.v1.Health/Check", FakeGrpc.Frame(message));

        Assert.Equal(expected, status);
        Assert.Equal(serving == 0 ? [] : FakeGrpc.Frame([8, (byte)serving]), body);
    }

    private static async Task<(string? Status, byte[] Body)> CallAsync(GatewayWorld world, string path, byte[] frame)
    {
        using var response = await SendAsync(world, path, frame);
        var body = await response.Content.ReadAsByteArrayAsync();
        var status = response.TrailingHeaders.TryGetValues("grpc-status", out var trailing) ? trailing.Single()
            : response.Headers.TryGetValues("grpc-status", out var leading) ? leading.Single()
            : null;
        return (status, body);
    }

    private static Task<HttpResponseMessage> SendAsync(GatewayWorld world, string path, byte[] frame)
    {
        var call = new HttpRequestMessage(HttpMethod.Post, new Uri(world.Gateway.GrpcAddress, path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(frame),
        };
        call.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        call.Headers.TryAddWithoutValidation("te", "trailers");
        return world.Client.SendAsync(call, HttpCompletionOption.ResponseHeadersRead);
    }
}
