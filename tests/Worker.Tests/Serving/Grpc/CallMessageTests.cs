using System.IO.Compression;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving.Grpc;
using Google.Protobuf;
using Grpc.Core;

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
        string[] paths = [
            Generate, GenerateStream, "/vllm.grpc.engine.VllmEngine/Generate", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"];
        StatusCode[] possible = [
            StatusCode.OK, StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.Unimplemented, StatusCode.Internal,
            StatusCode.ResourceExhausted];
        for (var round = 0; round < 300; round++)
        {
            var noise = new byte[random.Next(60)];
            random.NextBytes(noise);
            var body = random.Next(3) == 0 ? noise : GrpcTestClient.Frame(noise, flag: (byte)random.Next(2));

            using var call = await server.Raw.SendAsync(
                paths[round % paths.Length], body, random.Next(2) == 0 ? With("grpc-encoding", "gzip") : null);
            await call.ReadFramesAsync();

            Assert.Contains(call.Status.Code, possible);
        }

        Assert.Empty(server.Log.Errors);
        await server.Text.GenerateAsync(new GenerateRequest { Prompt = "hi" });
    }

    [Fact]
    public async Task A_message_over_the_limit_is_refused_and_one_at_the_limit_is_not()
    {
        var fitting = new GenerateRequest { Prompt = new string('x', 900) };
        await using var server = await GrpcTestServer.StartAsync(
            options: new GrpcOptions { MaxReceiveMessageBytes = fitting.CalculateSize() });

        await server.Text.GenerateAsync(fitting);
        var (status, message) = await server.Text.GenerateAsync(new GenerateRequest { Prompt = fitting.Prompt + "x" }).FailAsync();

        Assert.Equal(StatusCode.ResourceExhausted, status);
        Assert.Contains($"{fitting.CalculateSize()}", message);
    }

    [Fact]
    public async Task The_default_limit_is_4_MiB()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { MaxModelLength = 100_000_000 });
        const int Limit = 4 * 1024 * 1024;

        var (refused, _) = await server.Text.GenerateAsync(new GenerateRequest { Prompt = new string('x', Limit) }).FailAsync();
        var detokenized = await server.Text.DetokenizeAsync(
            new DetokenizeRequest { TokenIds = { Enumerable.Repeat((uint)FakeTokenizer.IdOf((byte)'x'), Limit - 100) } });

        Assert.Equal(StatusCode.ResourceExhausted, refused);
        Assert.Equal(Limit - 100, detokenized.Text.Length);
    }

    [Fact]
    public async Task Gzip_works_both_ways()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var request = new GenerateRequest { Prompt = new string('x', 3000) };
        var packed = Gzip(request.ToByteArray());

        using var call = await server.Raw.SendAsync(Generate, GrpcTestClient.Frame(packed, flag: 1), message =>
        {
            message.Headers.Add("grpc-encoding", "gzip");
            message.Headers.Add("grpc-accept-encoding", "identity, deflate, gzip");
        });
        var (flag, payload) = Assert.Single(await call.ReadFramesAsync());

        Assert.Equal(StatusCode.OK, call.Status.Code);
        Assert.Equal("gzip", call.Response.Headers.GetValues("grpc-encoding").Single());
        Assert.Equal(1, flag);
        var response = GenerateResponse.Parser.ParseFrom(new GZipStream(new MemoryStream(payload), CompressionMode.Decompress));
        Assert.Equal("You said: " + request.Prompt, response.Text);
    }

    [Fact]
    public async Task The_librarys_client_packs_and_unpacks()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var request = new GenerateRequest { Prompt = new string('x', 3000) };
        var packing = new Metadata { { "grpc-internal-encoding-request", "gzip" } };

        var response = await server.Text.GenerateAsync(request, packing);
        var parts = await server.Text.GenerateStream(request, packing).ToListAsync();

        Assert.Equal("You said: " + request.Prompt, response.Text);
        Assert.Equal(response.Text, string.Concat(parts.Select(part => part.Text)));
    }

    [Fact]
    public async Task Small_answers_and_answers_to_clients_that_cannot_read_gzip_stay_plain()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var large = new GenerateRequest { Prompt = new string('x', 3000) };

        using var small = await server.Raw.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, message =>
        {
            message.Headers.Add("grpc-encoding", "gzip");
            message.Headers.Add("grpc-accept-encoding", "gzip");
        });
        using var unable = await server.Raw.SendAsync(Generate, large, With("grpc-encoding", "gzip"));
        using var plain = await server.Raw.SendAsync(Generate, large, With("grpc-accept-encoding", "gzip"));

        Assert.Equal(0, Assert.Single(await small.ReadFramesAsync()).Flag);
        Assert.Equal(0, Assert.Single(await unable.ReadFramesAsync()).Flag);
        Assert.Equal(0, Assert.Single(await plain.ReadFramesAsync()).Flag);
        Assert.False(unable.Response.Headers.Contains("grpc-encoding"));
    }

    [Fact]
    public async Task An_unknown_encoding_is_unimplemented_and_the_known_ones_are_listed()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-encoding", "snappy"));

        Assert.Equal(StatusCode.Unimplemented, call.Status.Code);
        Assert.Contains("'snappy'", call.Status.Message);
        Assert.Equal("identity,gzip", call.Response.Headers.GetValues("grpc-accept-encoding").Single());
    }

    [Theory]
    [InlineData(new byte[] { }, StatusCode.Internal, "Incomplete message")]
    [InlineData(new byte[] { 0, 0, 0 }, StatusCode.Internal, "Incomplete message")]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1 }, StatusCode.Internal, "Incomplete message")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, StatusCode.Internal, "Additional data")]
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, StatusCode.Internal, "did not include grpc-encoding")]
    [InlineData(new byte[] { 2, 0, 0, 0, 0 }, StatusCode.Internal, "not a sequence of messages")]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 0x0A, 0x7F }, StatusCode.Internal, "request message is not valid")]
    [InlineData(new byte[] { 0, 0x7F, 0xFF, 0xFF, 0xFF }, StatusCode.ResourceExhausted, "larger than 4194304 bytes")]
    [InlineData(new byte[] { 0, 0xFF, 0xFF, 0xFF, 0xFF }, StatusCode.ResourceExhausted, "4294967295")]
    public async Task A_malformed_body_is_refused_and_leaves_the_connection_usable(byte[] body, StatusCode status, string reason)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, body);
        Assert.Empty(await call.ReadFramesAsync());

        Assert.Equal(status, call.Status.Code);
        Assert.Contains(reason, call.Status.Message);
        Assert.Empty(server.Log.Errors);
        await server.Text.GenerateAsync(new GenerateRequest { Prompt = "hi" });
    }

    [Fact]
    public async Task A_gzip_bomb_stops_at_the_limit()
    {
        await using var server = await GrpcTestServer.StartAsync();

        var (status, message) = await SendPackedAsync(server, Gzip(new byte[50 * 1024 * 1024]));

        Assert.Equal(
            (StatusCode.ResourceExhausted, "request message is more than 4194304 bytes after decompression, the limit"), (status, message));
    }

    [Fact]
    public async Task Broken_gzip_is_refused()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var packed = Gzip(new GenerateRequest { Prompt = new string('x', 3000) }.ToByteArray());

        Assert.Equal(StatusCode.Internal, (await SendPackedAsync(server, [9, 9, 9])).Status);
        Assert.Equal(StatusCode.Internal, (await SendPackedAsync(server, [])).Status);
        Assert.Equal(StatusCode.Internal, (await SendPackedAsync(server, packed[..^20])).Status);
        Assert.Equal(StatusCode.OK, (await SendPackedAsync(server, packed)).Status);
    }

    private static async Task<(StatusCode Status, string Message)> SendPackedAsync(GrpcTestServer server, byte[] packed)
    {
        using var call = await server.Raw.SendAsync(Generate, GrpcTestClient.Frame(packed, flag: 1), With("grpc-encoding", "gzip"));
        await call.ReadFramesAsync();
        return call.Status;
    }

    private static byte[] Gzip(byte[] payload)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(payload);
        }

        return packed.ToArray();
    }

    private static Action<HttpRequestMessage> With(string header, string value) =>
        request => request.Headers.TryAddWithoutValidation(header, value);
}
