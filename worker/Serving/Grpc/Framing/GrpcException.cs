namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>Ends a call with this status; the message goes to the client as <c>grpc-message</c>.</summary>
internal sealed class GrpcException(StatusCode status, string message, Exception? inner = null) : Exception(message, inner)
{
    public StatusCode Status { get; } = status;
}
