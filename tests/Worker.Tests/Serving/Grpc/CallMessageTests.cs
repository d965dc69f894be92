using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving.Grpc.Framing;
using Xunit;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>The messages of a call: size limits, compression, malformed bodies.</summary>
public sealed class CallMessageTests
{
    private const string Generate = "/cluster.v1.TextGeneration/Generate";
    private const string GenerateStream = "/cluster.v1.TextGeneration/GenerateStream";

    [Fact]
    public async Task Any_bytes_get_a_status_and_leave_the_server_alive()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "ok" });
        var random = new Random(3);
        string[] paths = [Generate, GenerateStream, "/vllm.grpc.engine.VllmEngine/Generate", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"];
        StatusCode[] possible = [StatusCode.Ok, StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.Unimplemented, StatusCode.Internal, StatusCode.ResourceExhausted];
        for (var round = 0; round < 300; round++)
        {
            var noise = new byte[random.Next(60)];
            random.NextBytes(noise);
            var body = random.Next(3) == 0 ? noise : GrpcTestClient.Frame(noise, flag: (byte)random.Next(2));

            using var call = await server.Client.SendAsync(paths[round % paths.Length], body, random.Next(2) == 0 ? With("grpc-encoding", "gzip") : null);
            await call.ReadFramesAsync();

            Assert.Contains(call.Status.Code, possible);
        }

        Assert.Empty(server.Log.Errors);
        await server.Client.CallAsync<GenerateResponse>(Generate, new GenerateRequest { Prompt = "hi" });
    }

    [Fact]
    public async Task A_message_over_the_limit_is_refused_and_one_at_the_limit_is_not()
    {
        var fitting = new GenerateRequest { Prompt = new string('x', 900) };
        await using var server = await GrpcTestServer.StartAsync(options: new GrpcOptions { MaxReceiveMessageBytes = fitting.CalculateSize() });

        await server.Client.CallAsync<GenerateResponse>(Generate, fitting);
        var (status, message) = await server.Client.FailAsync(Generate, new GenerateRequest { Prompt = fitting.Prompt + "x" });

        Assert.Equal(StatusCode.ResourceExhausted, status);
        Assert.Contains($"{fitting.CalculateSize()}", message);
    }

    [Fact]
    public async Task The_default_limit_is_4_MiB()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { MaxModelLength = 100_000_000 });
        const int limit = 4 * 1024 * 1024;

        var (refused, _) = await server.Client.FailAsync(Generate, new GenerateRequest { Prompt = new string('x', limit) });
        var detokenized = await server.Client.CallAsync<DetokenizeResponse>(
            "/cluster.v1.TextGeneration/Detokenize",
            new DetokenizeRequest { TokenIds = { Enumerable.Repeat((uint)FakeTokenizer.IdOf((byte)'x'), limit - 100) } });

        Assert.Equal(StatusCode.ResourceExhausted, refused);
        Assert.Equal(limit - 100, detokenized.Text.Length);
    }

    [Fact]
    public async Task Gzip_works_both_ways()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var request = new GenerateRequest { Prompt = new string('x', 3000) };
        using var packed = MessageEncoding.Compress(Google.Protobuf.MessageExtensions.ToByteArray(request));

        using var call = await server.Client.SendAsync(Generate, GrpcTestClient.Frame(packed.ToArray(), flag: 1), message =>
        {
            message.Headers.Add("grpc-encoding", "gzip");
            message.Headers.Add("grpc-accept-encoding", "identity, deflate, gzip");
        });
        var (flag, payload) = Assert.Single(await call.ReadFramesAsync());

        Assert.Equal(StatusCode.Ok, call.Status.Code);
        Assert.Equal("gzip", call.Response.Headers.GetValues("grpc-encoding").Single());
        Assert.Equal(1, flag);
        var response = GenerateResponse.Parser.ParseFrom(MessageEncoding.Decompress(new(payload), 1_000_000));
        Assert.Equal("You said: " + request.Prompt, response.Text);
    }

    [Fact]
    public async Task Small_answers_and_answers_to_clients_that_cannot_read_gzip_stay_plain()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var large = new GenerateRequest { Prompt = new string('x', 3000) };

        using var small = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, message =>
        {
            message.Headers.Add("grpc-encoding", "gzip");
            message.Headers.Add("grpc-accept-encoding", "gzip");
        });
        using var unable = await server.Client.SendAsync(Generate, large, With("grpc-encoding", "gzip"));
        using var plain = await server.Client.SendAsync(Generate, large, With("grpc-accept-encoding", "gzip"));

        Assert.Equal(0, Assert.Single(await small.ReadFramesAsync()).Flag);
        Assert.Equal(0, Assert.Single(await unable.ReadFramesAsync()).Flag);
        Assert.Equal(0, Assert.Single(await plain.ReadFramesAsync()).Flag);
        Assert.False(unable.Response.Headers.Contains("grpc-encoding"));
    }

    [Fact]
    public async Task An_unknown_encoding_is_unimplemented_and_the_known_ones_are_listed()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-encoding", "snappy"));

        Assert.Equal(StatusCode.Unimplemented, call.Status.Code);
        Assert.Contains("'snappy'", call.Status.Message);
        Assert.Equal("identity,gzip", call.Response.Headers.GetValues("grpc-accept-encoding").Single());
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0 }, (int)StatusCode.Internal)]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1 }, (int)StatusCode.Internal)]
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, (int)StatusCode.Internal)]
    [InlineData(new byte[] { }, (int)StatusCode.Unimplemented)]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, (int)StatusCode.Unimplemented)]
    public async Task A_malformed_body_leaves_the_connection_usable(byte[] body, int status)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, body);
        Assert.Empty(await call.ReadFramesAsync());

        Assert.Equal((StatusCode)status, call.Status.Code);
        await server.Client.CallAsync<GenerateResponse>(Generate, new GenerateRequest { Prompt = "hi" });
    }

    private static Action<HttpRequestMessage> With(string header, string value) => request => request.Headers.TryAddWithoutValidation(header, value);
}
