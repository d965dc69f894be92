using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Relaying;
using Google.Protobuf;
using Grpc.Core;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>The gateway's envelope where the request is a message: a field of it, without the client's body. Used by the
/// services.</summary>
internal static class GrpcEnvelope
{
    /// <summary>Handles the call by the envelope of its request.</summary>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="RpcException">PERMISSION_DENIED when it does not come from the gateway.</exception>
    /// <exception cref="InvalidRequestException">It is no envelope.</exception>
    public static Envelope? Read(ByteString field, ServerCallContext call, ServedModel model)
    {
        if (field.IsEmpty)
        {
            return null;
        }

        var context = call.GetHttpContext();
        if (!GatewayCheck.IsFromGateway(context))
        {
            throw CallFailures.Error(
                StatusCode.PermissionDenied,
                $"cluster_envelope is for the gateway, which shows its key in the metadata {GatewayCheck.KeyHeader}; leave it unset");
        }

        var envelope = Envelope.Parse(field.Memory, model.Engine.MaxModelLength);
        Envelope.Accept(context, envelope);
        return envelope;
    }

    /// <summary>A name that no other request of the engine has, which is not told to anybody.</summary>
    public static string EngineId(string responseId) => $"{responseId}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>Leaves out the messages that an earlier worker has sent.</summary>
    public static IAsyncEnumerable<T> Undelivered<T>(this IAsyncEnumerable<T> messages, Envelope? envelope) =>
        envelope?.Delivered(0).Events is { } delivered and > 0 ? messages.Skip(delivered) : messages;
}
