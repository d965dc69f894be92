using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using Cluster.Worker.Serving.Grpc.Framing;
using Google.Protobuf;
using Xunit;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>A gRPC client that frames by itself over HTTP/2 with prior knowledge, so that a test can also send what no client would.</summary>
internal sealed class GrpcTestClient(Uri address) : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { InitialHttp2StreamWindowSize = 65_535 })
    {
        BaseAddress = address,
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public static byte[] Frame(IMessage message) => Frame(message.ToByteArray());

    public static byte[] Frame(ReadOnlySpan<byte> payload, byte flag = 0)
    {
        var frame = new byte[MessageReader.PrefixBytes + payload.Length];
        frame[0] = flag;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)payload.Length);
        payload.CopyTo(frame.AsSpan(MessageReader.PrefixBytes));
        return frame;
    }

    /// <summary>Sends a request with this body and returns once headers came back.</summary>
    public async Task<GrpcTestCall> SendAsync(string path, HttpContent content, Action<HttpRequestMessage>? shape = null, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TryAddWithoutValidation("te", "trailers");
        shape?.Invoke(request);
        return new GrpcTestCall(await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken));
    }

    public Task<GrpcTestCall> SendAsync(string path, byte[] body, Action<HttpRequestMessage>? shape = null, CancellationToken cancellationToken = default) =>
        SendAsync(path, new ByteArrayContent(body), shape, cancellationToken);

    public Task<GrpcTestCall> SendAsync(string path, IMessage message, Action<HttpRequestMessage>? shape = null, CancellationToken cancellationToken = default) =>
        SendAsync(path, Frame(message), shape, cancellationToken);

    /// <summary>The one response of a successful call.</summary>
    public async Task<T> CallAsync<T>(string path, IMessage request)
        where T : IMessage<T>, new()
    {
        using var call = await SendAsync(path, request);
        var responses = await call.ReadAllAsync<T>();
        Assert.Equal((StatusCode.Ok, ""), call.Status);
        return Assert.Single(responses);
    }

    /// <summary>All responses of a successful call.</summary>
    public async Task<List<T>> StreamAsync<T>(string path, IMessage request)
        where T : IMessage<T>, new()
    {
        using var call = await SendAsync(path, request);
        var responses = await call.ReadAllAsync<T>();
        Assert.Equal((StatusCode.Ok, ""), call.Status);
        return responses;
    }

    /// <summary>The status of a call that gives no response.</summary>
    public async Task<(StatusCode Status, string Message)> FailAsync(string path, IMessage request)
    {
        using var call = await SendAsync(path, request);
        Assert.Empty(await call.ReadFramesAsync());
        return call.Status;
    }

    public void Dispose() => http.Dispose();
}

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

    public async IAsyncEnumerable<T> MessagesAsync<T>()
        where T : IMessage<T>, new()
    {
        var parser = new MessageParser<T>(() => new T());
        await foreach (var (_, payload) in FramesAsync())
        {
            yield return parser.ParseFrom(payload);
        }
    }

    public async IAsyncEnumerable<(byte Flag, byte[] Payload)> FramesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var body = await Response.Content.ReadAsStreamAsync(cancellationToken);
        var prefix = new byte[MessageReader.PrefixBytes];
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
