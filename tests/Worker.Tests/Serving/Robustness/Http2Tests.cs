using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using static Cluster.Worker.Tests.Serving.Robustness.Http2Frames;

namespace Cluster.Worker.Tests.Serving.Robustness;

/// <summary>HTTP/2 and gRPC frames that no client sends.</summary>
public sealed class Http2Tests(HaikuFixture fixture) : IClassFixture<HaikuFixture>
{
    private const int ProtocolError = 1;
    private const int StreamClosed = 5;
    private const int FrameSizeError = 6;
    private const int CompressionError = 9;
    private const string Generate = "/cluster.v1.TextGeneration/Generate";

    public static TheoryData<string, byte[], int[]> Wrong => new()
    {
        { "settings of five bytes", Frame(Settings, 0, 0, new byte[5]), [FrameSizeError] },
        { "settings of a stream", Frame(Settings, 0, 1, []), [ProtocolError] },
        { "an acknowledgement with content", Frame(Settings, 1, 0, new byte[6]), [FrameSizeError] },
        { "a frame over the limit", Frame(Data, 0, 1, new byte[40_000]), [FrameSizeError, ProtocolError, StreamClosed] },
        { "data of an idle stream", Frame(Data, 0, 1, new byte[3]), [ProtocolError, StreamClosed] },
        { "data of no stream", Frame(Data, 0, 0, new byte[3]), [ProtocolError] },
        { "headers of an even stream", Frame(Headers, EndHeaders, 2, GrpcHeaders(Generate)), [ProtocolError] },
        { "headers that are no HPACK", Frame(Headers, EndHeaders, 1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), [CompressionError] },
        { "a table index out of range", Frame(Headers, EndHeaders, 1, [0xfe]), [CompressionError] },
        { "a continuation of nothing", Frame(Continuation, EndHeaders, 1, []), [ProtocolError] },
        { "a reset of an idle stream", Frame(ResetStream, 0, 1, new byte[4]), [ProtocolError] },
        { "a reset of three bytes", Frame(ResetStream, 0, 1, new byte[3]), [FrameSizeError] },
        { "a ping of seven bytes", Frame(Ping, 0, 0, new byte[7]), [FrameSizeError] },
        { "a window grown by nothing", Frame(WindowUpdate, 0, 0, new byte[4]), [ProtocolError] },
        { "a header block that is interrupted", [
            .. Frame(Headers, 0, 1, GrpcHeaders(Generate)), .. Frame(Ping, 0, 0, new byte[8])], [ProtocolError] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_wrong_frame_ends_its_connection_with_the_reason(string what, byte[] frames, int[] errors)
    {
        using var connection = await RawConnection.OpenAsync(fixture.Server.Http.Server.GrpcAddress);
        await connection.SendAsync((byte[])[.. Preface, .. frames]);
        var error = ErrorOf(await connection.ReceiveAsync(bytes => ErrorOf(bytes) is not null));

        Assert.True(error is { } code && errors.Contains(code), $"{what}: {error}");
        await fixture.Server.RequireItServesAsync();
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")]
    [InlineData("PRI * HTT")]
    [InlineData("")]
    public async Task A_wrong_preface_ends_its_connection_only(string preface)
    {
        await ExchangeAsync(System.Text.Encoding.ASCII.GetBytes(preface));

        await fixture.Server.RequireItServesAsync();
    }

    [Fact]
    public async Task Settings_without_end_change_nothing_for_others()
    {
        var many = new byte[6 * 2000];
        for (var i = 0; i < many.Length; i += 6)
        {
            many[i + 1] = (byte)(i % 251 + 10);
        }

        await ExchangeAsync([.. Preface, .. Enumerable.Range(0, 50).SelectMany(_ => Frame(Settings, 0, 0, many))]);

        await fixture.Server.RequireItServesAsync();
    }

    [Fact]
    public async Task Calls_that_are_reset_at_once_leave_nothing_behind()
    {
        var message = GrpcTestClient.Frame(
            new GenerateRequest { Prompt = "Write a haiku about the sea", Sampling = new SamplingParams { IgnoreEos = true } });
        var frames = new List<byte>(Preface);
        for (var call = 0; call < 300; call++)
        {
            var stream = 2 * call + 1;
            frames.AddRange(Frame(Headers, EndHeaders, stream, GrpcHeaders(Generate)));
            frames.AddRange(Frame(Data, EndStream, stream, message));
            frames.AddRange(Frame(ResetStream, 0, stream, [0, 0, 0, 8]));
        }

        await ExchangeAsync([.. frames]);

        await fixture.Server.RequireItServesAsync();
    }

    /// <summary>Sends, closes and reads what the server says until it closes, too.</summary>
    private async Task<byte[]> ExchangeAsync(byte[] bytes)
    {
        using var connection = await RawConnection.OpenAsync(fixture.Server.Http.Server.GrpcAddress);
        await connection.SendAsync(bytes);
        return await connection.FinishAsync();
    }
}
