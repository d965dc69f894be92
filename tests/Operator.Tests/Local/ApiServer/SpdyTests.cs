using System.IO.Pipelines;
using System.Text;
using Cluster.Operator.Local.ApiServer.Spdy;
using ICSharpCode.SharpZipLib.Checksum;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>The server's side of SPDY/3.1 against a client of bytes.</summary>
public sealed class SpdyTests : IAsyncDisposable
{
    private const int SynReply = 2;
    private const int Reset = 3;
    private const int Ping = 6;
    private const int GoAway = 7;

    private readonly Pipe _up = new();
    private readonly Pipe _down = new();
    private readonly SpdyConnection _connection;
    private readonly SpdyClient _client;
    private readonly Task _running;

    public SpdyTests()
    {
        _connection = new SpdyConnection(new Duplex(_up.Reader.AsStream(), _down.Writer.AsStream()));
        _client = new SpdyClient(new Duplex(_down.Reader.AsStream(), _up.Writer.AsStream()));
        _running = _connection.RunAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _up.Writer.CompleteAsync();
        await _running.ContinueWith(_ => { }, TaskScheduler.Default);
        _connection.Dispose();
    }

    [Fact]
    public void The_dictionary_is_that_of_the_protocol()
    {
        var sum = new Adler32();
        sum.Update(SpdyDictionary.Bytes);
        Assert.Equal((1423, 0xe3c6a7c2), (SpdyDictionary.Bytes.Length, sum.Value));
    }

    [Fact]
    public async Task Streams_have_their_headers_carry_data_both_ways_and_close_by_halves()
    {
        for (var i = 0; i < 3; i++)
        {
            // Every block continues the compression of the one before.
            var id = await _client.OpenAsync(("Streamtype", "data"), ("Port", $"{8000 + i}"));
            Assert.Equal((SynReply, id), Kind(await _client.ReadAsync()));
            var stream = await _connection.Accepted.ReadAsync();
            Assert.Equal(("data", $"{8000 + i}"), (stream.Headers["streamtype"], stream.Headers["port"]));

            await _client.DataAsync(id, "question"u8.ToArray(), isLast: true);
            using var reader = new StreamReader(stream, leaveOpen: true);
            Assert.Equal("question", await reader.ReadToEndAsync());
            await stream.WriteAsync("answer"u8.ToArray());
            await stream.FinishAsync(CancellationToken.None);
            Assert.Equal("answer", Encoding.ASCII.GetString((await _client.ReadAsync())!.Value.Payload));
            Assert.Equal((0, id, (byte)1), ((await _client.ReadAsync()) is { } last ? (last.Type, last.Stream, last.Flags) : default));
        }
    }

    [Fact]
    public async Task Pings_come_back_and_unknown_frames_are_passed_over()
    {
        await _client.SendAsync(0x8003_0009, 0, new byte[8]);
        await _client.SendAsync(0x8003_0004, 0, new byte[12]);
        await _client.SendAsync(0x8003_00ff, 0, new byte[3]);
        await _client.DataAsync(99, new byte[40_000]);
        await _client.PingAsync(7);
        Assert.Equal((Ping, 7), Kind(await _client.ReadAsync()));
    }

    [Fact]
    public async Task More_streams_than_are_kept_are_refused()
    {
        for (var i = 0; i < SpdyConnection.MaxStreams; i++)
        {
            await _client.OpenAsync(("streamtype", "data"));
            Assert.Equal(SynReply, (await _client.ReadAsync())!.Value.Type);
        }

        var refused = await _client.OpenAsync(("streamtype", "data"));
        var answer = (await _client.ReadAsync())!.Value;
        Assert.Equal((Reset, refused, 3), (answer.Type, answer.Stream, answer.Payload[7]));
    }

    [Fact]
    public async Task A_reset_ends_a_stream_and_data_after_it_is_nothing()
    {
        var id = await _client.OpenAsync(("streamtype", "data"));
        await _client.ReadAsync();
        var stream = await _connection.Accepted.ReadAsync();
        await _client.ResetAsync(id);
        await _client.DataAsync(id, "late"u8.ToArray());
        await _client.PingAsync(1);
        Assert.Equal((Ping, 1), Kind(await _client.ReadAsync()));
        Assert.True(stream.Aborted.IsCancellationRequested);
        Assert.Equal(0, await stream.ReadAsync(new byte[8]));
    }

    public static TheoryData<uint, string> Wrong => new()
    {
        { 0x8002_0001, "000000010000000000000000" },        // SPDY/2
        { 0x8003_0001, "00000001" },                        // too short
        { 0x8003_0001, "00000002000000000000" },            // an even id without a block
        { 0x8003_0001, "00000001000000000000deadbeef" },    // no zlib
        { 0x8003_0008, "00000001789c" },                    // a zlib header without a dictionary, and nothing
    };

    [Theory, MemberData(nameof(Wrong))]
    public async Task Who_breaks_the_protocol_is_told_to_go(uint first, string payload)
    {
        await _client.SendAsync(first, 0, Convert.FromHexString(payload));
        if (payload.EndsWith("789c", StringComparison.Ordinal))
        {
            await _client.SendAsync(0x8003_0008, 0, [0, 0, 0, 1, 0xff, 0xff, 0xff]);
        }

        Assert.Equal(GoAway, (await _client.ReadAsync())!.Value.Type);
        await Assert.ThrowsAsync<SpdyException>(() => _running);
    }

    [Fact]
    public async Task Headers_are_bounded_before_they_are_kept()
    {
        await _client.OpenAsync(("streamtype", new string('a', SpdyHeaders.MaxBytes)));
        Assert.Equal(GoAway, (await _client.ReadAsync())!.Value.Type);
        var error = await Assert.ThrowsAsync<SpdyException>(() => _running);
        Assert.Contains("more than 16384 bytes", error.Message, StringComparison.Ordinal);
    }

    private static (int Type, int Stream) Kind((int Type, int Stream, byte Flags, byte[] Payload)? frame) =>
        (frame!.Value.Type, frame.Value.Stream);

    /// <summary>Two one-way streams as one.</summary>
    private sealed class Duplex(Stream input, Stream output) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            input.ReadAsync(buffer, cancellationToken);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            await output.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => output.FlushAsync(cancellationToken);

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
