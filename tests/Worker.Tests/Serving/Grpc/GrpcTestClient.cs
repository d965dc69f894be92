using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using Cluster.Worker.Serving.Grpc.Framing;
using Google.Protobuf;
using Xunit;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>A gRPC client that frames by itself over HTTP/2 with prior knowledge, so that a test can also send what no client would.</summary>
/// <param name="handler">Whose connection to use; null for one of its own.</param>
internal sealed class GrpcTestClient(Uri address, SocketsHttpHandler? handler = null) : IDisposable
{
    private readonly HttpClient http = new(handler ?? new SocketsHttpHandler { InitialHttp2StreamWindowSize = 65_535 }, disposeHandler: handler is null)
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
