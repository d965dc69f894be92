using System.IO.Pipelines;
using Cluster.Worker.Protos.Vllm;
using Cluster.Worker.Serving.Grpc.Framing;
using Google.Protobuf;
using Xunit;

namespace Cluster.Worker.Tests.Serving.Grpc.Framing;

public sealed class MessageReaderTests
{
    private const int MaxBytes = 64 * 1024;

    [Fact]
    public async Task Messages_survive_any_way_the_bytes_arrive()
    {
        var random = new Random(11);
        for (var round = 0; round < 50; round++)
        {
            var sent = Enumerable.Range(0, random.Next(1, 6)).Select(_ => Message(random.Next(600))).ToList();
            var pipe = new Pipe();
            var writing = WriteInPiecesAsync(pipe.Writer, [.. sent.SelectMany(GrpcTestClient.Frame)], random);
            var reader = new MessageReader(pipe.Reader, MaxBytes, gzip: false);

            var received = new List<AbortRequest>();
            while (await reader.ReadAsync(AbortRequest.Parser, CancellationToken.None) is { } message)
            {
                received.Add(message);
            }

            await writing;
            Assert.Equal(sent, received);
        }
    }

    [Fact]
    public async Task What_the_writer_packs_the_reader_unpacks()
    {
        var pipe = new Pipe();
        var writer = new MessageWriter(pipe.Writer, gzip: true, minCompressedBytes: 100);
        writer.Write(Message(5));
        writer.Write(Message(5000));
        await writer.FlushAsync(CancellationToken.None);
        await pipe.Writer.CompleteAsync();

        var reader = new MessageReader(pipe.Reader, MaxBytes, gzip: true);
        Assert.Equal(Message(5), await reader.ReadAsync(AbortRequest.Parser, CancellationToken.None));
        Assert.Equal(Message(5000), await reader.ReadAsync(AbortRequest.Parser, CancellationToken.None));
        Assert.Null(await reader.ReadAsync(AbortRequest.Parser, CancellationToken.None));
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0 }, (int)StatusCode.Internal, "ends inside a message")]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1 }, (int)StatusCode.Internal, "ends inside a message")]
    [InlineData(new byte[] { 2, 0, 0, 0, 0 }, (int)StatusCode.Internal, "flag byte 2")]
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, (int)StatusCode.Internal, "names no grpc-encoding")]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 0x0A, 0x7F }, (int)StatusCode.Internal, "not a valid AbortRequest")]
    [InlineData(new byte[] { 0, 0xFF, 0xFF, 0xFF, 0xFF }, (int)StatusCode.ResourceExhausted, "4294967295 bytes; the limit is 65536")]
    [InlineData(new byte[] { }, (int)StatusCode.Unimplemented, "has no message")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, (int)StatusCode.Unimplemented, "more than one message")]
    public async Task A_malformed_body_is_refused_with_the_reason(byte[] body, int status, string reason)
    {
        var failure = await FailAsync(body, gzip: false);

        Assert.Equal((StatusCode)status, failure.Status);
        Assert.Contains(reason, failure.Message);
    }

    [Fact]
    public async Task A_gzip_bomb_stops_at_the_limit()
    {
        var failure = await FailAsync(GrpcTestClient.Frame(Gzip(new byte[50 * 1024 * 1024]), flag: 1), gzip: true);

        Assert.Equal(StatusCode.ResourceExhausted, failure.Status);
    }

    [Fact]
    public async Task Broken_gzip_is_refused()
    {
        var packed = Gzip(Message(3000).ToByteArray());

        Assert.Equal(StatusCode.Internal, (await FailAsync(GrpcTestClient.Frame([9, 9, 9], flag: 1), gzip: true)).Status);
        Assert.Equal(StatusCode.Internal, (await FailAsync(GrpcTestClient.Frame([], flag: 1), gzip: true)).Status);
        Assert.Equal(StatusCode.Internal, (await FailAsync(GrpcTestClient.Frame(packed.AsSpan(0, packed.Length - 20), flag: 1), gzip: true)).Status);
    }

    private static byte[] Gzip(byte[] payload)
    {
        using var packed = MessageEncoding.Compress(payload);
        return packed.ToArray();
    }

    private static AbortRequest Message(int length) => new() { RequestIds = { new string('x', length), "end" } };

    private static async Task<GrpcException> FailAsync(byte[] body, bool gzip)
    {
        var reader = new MessageReader(PipeReader.Create(new MemoryStream(body)), MaxBytes, gzip);
        return await Assert.ThrowsAsync<GrpcException>(async () => await reader.ReadSingleAsync(AbortRequest.Parser, CancellationToken.None));
    }

    private static async Task WriteInPiecesAsync(PipeWriter writer, byte[] bytes, Random random)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var piece = Math.Min(random.Next(1, 40), bytes.Length - at);
            await writer.WriteAsync(bytes.AsMemory(at, piece));
            at += piece;
        }

        await writer.CompleteAsync();
    }
}
