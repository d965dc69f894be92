using System.Text;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Http;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using static Cluster.Worker.Tests.Serving.Robustness.Http2Frames;

namespace Cluster.Worker.Tests.Serving.Robustness;

/// <summary>Clients that reset their connections are everyday life, not failures of the server.</summary>
public sealed class ResetTests
{
    private const string GenerateStream = "/cluster.v1.TextGeneration/GenerateStream";

    private const string Post = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

    public static TheoryData<string> Requests => new()
    {
        $"{Post}Content-Length: 100000\r\n\r\n{{\"prompt\": \"",
        $"{Post}Transfer-Encoding: chunked\r\n\r\n400\r\n{{\"prompt\": \"",
        $"{Post}Content-Le",
        Whole("""{"prompt": "x", "stream": true, "max_tokens": 100000, "ignore_eos": true}"""),
        Whole("""{"prompt": "x", "max_tokens": 100000, "ignore_eos": true}"""),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_client_that_resets_its_connection_leaves_no_warning(string request)
    {
        using var log = new RecordedLog(LogLevel.Warning);
        var engine = new FakeEngine();
        await using (var server = await HttpTestServer.StartAsync(engine, log: log))
        {
            // Several, since the reset may overtake what was sent before it.
            for (var i = 0; i < 10; i++)
            {
                var afterAnswer = i % 2 == 0 && request.Contains("stream", StringComparison.Ordinal);
                await ResetAsync(server.Server.HttpAddress, request, afterAnswer);
                await ResetAsync(server.Server.GrpcAddress, request, afterAnswer: false);
            }

            await Eventually.True(() => engine.Statistics.Running == 0, "the engine is idle");
            Assert.Equal(200, (await server.PostAsync("/v1/completions", """{"prompt": "x"}""")).Status);
        }

        // Kestrel's reader stays marked as in use when a reset has failed it, and Kestrel warns of that itself if it throws away
        // the rest of the body before it has seen the reset.
        var warnings = log.Errors.Where(
            message => !message.Contains("automatic draining of the request body failed", StringComparison.Ordinal)).ToArray();
        Assert.True(warnings.Length == 0, string.Join("\n", warnings));
    }

    public static TheoryData<string, byte[]> Calls => new()
    {
        { "a call without a message", Frame(Headers, EndHeaders, 1, GrpcHeaders(GenerateStream)) },
        { "half a message", [
            .. Frame(Headers, EndHeaders, 1, GrpcHeaders(GenerateStream)), .. Frame(Data, 0, 1, [0, 0, 0, 1, 0, 10, 200])] },
        { "half a message, and the stream reset", [
            .. Frame(Headers, EndHeaders, 1, GrpcHeaders(GenerateStream)), .. Frame(Data, 0, 1, [0, 0, 0, 1, 0, 10, 200]),
            .. Frame(ResetStream, 0, 1, [0, 0, 0, 8])] },
        { "a call that generates", [
            .. Frame(Headers, EndHeaders, 1, GrpcHeaders(GenerateStream)), .. Frame(Data, EndStream, 1, Message())] },
        { "a call that generates, and the stream reset", [
            .. Frame(Headers, EndHeaders, 1, GrpcHeaders(GenerateStream)), .. Frame(Data, EndStream, 1, Message()),
            .. Frame(ResetStream, 0, 1, [0, 0, 0, 8])] },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task A_client_that_resets_a_call_leaves_no_warning(string what, byte[] frames)
    {
        using var log = new RecordedLog(LogLevel.Warning);
        var engine = new FakeEngine();
        await using (var server = await HttpTestServer.StartAsync(engine, log: log))
        {
            for (var i = 0; i < 10; i++)
            {
                using var connection = await RawConnection.OpenAsync(server.Server.GrpcAddress);
                await connection.SendAsync((byte[])[.. Preface, .. frames]);
                var awaited = i % 2 == 1 && what.EndsWith("generates", StringComparison.Ordinal) ? 200 : 1;
                await connection.ReceiveAsync(bytes => bytes.Length >= awaited);
                connection.Reset();
            }

            await Eventually.True(() => engine.Statistics.Running == 0, "the engine is idle");
            Assert.Equal(200, (await server.PostAsync("/v1/completions", """{"prompt": "x"}""")).Status);
        }

        Assert.True(log.Errors.IsEmpty, string.Join("\n", log.Errors));
    }

    private static byte[] Message()
    {
        var sampling = new SamplingParams { MaxTokens = 100_000, IgnoreEos = true };
        var message = new GenerateRequest { Prompt = "x", Sampling = sampling }.ToByteArray();
        return [0, 0, 0, 0, (byte)message.Length, .. message];
    }

    private static async Task ResetAsync(Uri address, string request, bool afterAnswer)
    {
        using var connection = await RawConnection.OpenAsync(address);
        await connection.SendAsync(Encoding.Latin1.GetBytes(request));
        if (afterAnswer)
        {
            await connection.ReceiveAsync(bytes => bytes.AsSpan().IndexOf("data:"u8) >= 0);
        }

        connection.Reset();
    }

    private static string Whole(string body) => $"{Post}Content-Length: {body.Length}\r\n\r\n{body}";
}
