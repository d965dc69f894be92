using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>A gRPC client that frames by itself over HTTP/2 with prior knowledge, so that a test can also send what no client
/// would.</summary>
internal sealed class GrpcTestClient(Uri address) : IDisposable
{
    public const int PrefixBytes = 5;

    private readonly HttpClient _http = new(new SocketsHttpHandler { InitialHttp2StreamWindowSize = 65_535 })
    {
        BaseAddress = address,
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public static byte[] Frame(IMessage message) => Frame(message.ToByteArray());

    public static byte[] Frame(ReadOnlySpan<byte> payload, byte flag = 0)
    {
        var frame = new byte[PrefixBytes + payload.Length];
        frame[0] = flag;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)payload.Length);
        payload.CopyTo(frame.AsSpan(PrefixBytes));
        return frame;
    }

    /// <summary>Sends a request with this body and returns once headers came back.</summary>
    public async Task<GrpcTestCall> SendAsync(
        string path, HttpContent content, Action<HttpRequestMessage>? shape = null, CancellationToken cancellationToken = default)
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
        return new GrpcTestCall(await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken));
    }

    public Task<GrpcTestCall> SendAsync(
        string path, byte[] body, Action<HttpRequestMessage>? shape = null, CancellationToken cancellationToken = default) =>
        SendAsync(path, new ByteArrayContent(body), shape, cancellationToken);

    public Task<GrpcTestCall> SendAsync(
        string path, IMessage message, Action<HttpRequestMessage>? shape = null, CancellationToken cancellationToken = default) =>
        SendAsync(path, Frame(message), shape, cancellationToken);

    public void Dispose() => _http.Dispose();
}
