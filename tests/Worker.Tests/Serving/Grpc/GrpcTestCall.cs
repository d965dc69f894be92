using System.Buffers.Binary;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using Google.Protobuf;
using Grpc.Core;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>The answer to a call of <see cref="GrpcTestClient"/>.</summary>
internal sealed class GrpcTestCall(HttpResponseMessage response) : IDisposable
{
    public HttpResponseMessage Response { get; } = response;

    /// <summary>From the trailers, or from the headers of a Trailers-Only response; complete once the body was read.</summary>
    public (StatusCode Code, string Message) Status
    {
        get
        {
            HttpHeaders headers = Response.Headers.Contains("grpc-status") ? Response.Headers : Response.TrailingHeaders;
            var code = (StatusCode)int.Parse(headers.GetValues("grpc-status").Single(), null);
            return (code, headers.TryGetValues("grpc-message", out var message) ? Uri.UnescapeDataString(message.Single()) : "");
        }
    }

    public async Task<List<T>> ReadAllAsync<T>()
        where T : IMessage<T>, new()
    {
        var parser = new MessageParser<T>(() => new T());
        return [.. (await ReadFramesAsync()).Select(frame => parser.ParseFrom(frame.Payload))];
    }

    public async Task<List<(byte Flag, byte[] Payload)>> ReadFramesAsync()
    {
        var frames = new List<(byte, byte[])>();
        await foreach (var frame in FramesAsync())
        {
            frames.Add(frame);
        }

        return frames;
    }

    public async IAsyncEnumerable<T> MessagesAsync<T>([EnumeratorCancellation] CancellationToken cancellationToken = default)
        where T : IMessage<T>, new()
    {
        var parser = new MessageParser<T>(() => new T());
        await foreach (var (_, payload) in FramesAsync(cancellationToken))
        {
            yield return parser.ParseFrom(payload);
        }
    }

    public async IAsyncEnumerable<(byte Flag, byte[] Payload)> FramesAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var body = await Response.Content.ReadAsStreamAsync(cancellationToken);
        var prefix = new byte[GrpcTestClient.PrefixBytes];
        while (await body.ReadAtLeastAsync(prefix, prefix.Length, throwOnEndOfStream: false, cancellationToken) is var read and > 0)
        {
            Assert.Equal(prefix.Length, read);
            var payload = new byte[BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1))];
            await body.ReadExactlyAsync(payload, cancellationToken);
            yield return (prefix[0], payload);
        }
    }

    public void Dispose() => Response.Dispose();
}
