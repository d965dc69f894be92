using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>One running call: what a handler sees of the client, and the message streams in both directions.</summary>
/// <remarks>Made by <see cref="GrpcDispatcher"/>, driven by <see cref="GrpcService"/>.</remarks>
internal sealed class ServerCall
{
    private readonly HttpResponse response;
    private readonly MessageWriter writer;
    private readonly bool gzipResponses;

    /// <exception cref="GrpcException">The request names a message encoding this server does not know.</exception>
    public ServerCall(HttpContext context, GrpcOptions options, CancellationToken cancellationToken)
    {
        var requestIsGzip = MessageEncoding.RequestUsesGzip(context.Request.Headers);

        // A client that packs its own messages is taken to want packed answers; one that only could read them is not worth the cycles.
        gzipResponses = requestIsGzip && MessageEncoding.ClientAcceptsGzip(context.Request.Headers);
        response = context.Response;
        writer = new MessageWriter(response.BodyWriter, gzipResponses, options.MinCompressedMessageBytes);
        Requests = new MessageReader(context.Request.BodyReader, options.MaxReceiveMessageBytes, requestIsGzip);
        Metadata = new CallMetadata(context.Request.Headers);
        CancellationToken = cancellationToken;
    }

    public CallMetadata Metadata { get; }

    /// <summary>Cancelled when the client cancels or disappears and when the call's deadline passes.</summary>
    public CancellationToken CancellationToken { get; }

    public MessageReader Requests { get; }

    /// <summary>Sends a response message together with the end of the call, or with what is flushed next.</summary>
    public async ValueTask WriteAsync(IMessage message)
    {
        if (!response.HasStarted)
        {
            if (gzipResponses)
            {
                response.Headers["grpc-encoding"] = MessageEncoding.Gzip;
            }

            // Before the response has started its pipe hands out scratch memory and copies.
            await response.StartAsync(CancellationToken);
        }

        writer.Write(message);
    }

    /// <summary>Sends a response message now; waits while the client reads more slowly than this server writes.</summary>
    public async ValueTask WriteAndFlushAsync(IMessage message)
    {
        await WriteAsync(message);
        await writer.FlushAsync(CancellationToken);
    }
}
