using System.Text.Unicode;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>Refuses a message with a text that is not UTF-8, as proto3 demands of every <c>string</c>; Google.Protobuf would go on with U+FFFD in its place.
/// Called by <see cref="MessageReader"/> for a message that has been parsed, so that it is well-formed and not nested too deep.</summary>
internal static class Utf8Texts
{
    /// <exception cref="GrpcException">INVALID_ARGUMENT; names the field.</exception>
    public static void Require(MessageDescriptor descriptor, byte[] message)
    {
        // Texts are nearly always ASCII, and so is then everything else that could hold one.
        if (!System.Text.Ascii.IsValid(message))
        {
            Walk(descriptor, message);
        }
    }

    private static void Walk(MessageDescriptor descriptor, byte[] message)
    {
        using var input = new CodedInputStream(message);
        while (input.ReadTag() is var tag and not 0)
        {
            var field = descriptor.FindFieldByNumber(WireFormat.GetTagFieldNumber(tag));
            if (WireFormat.GetTagWireType(tag) != WireFormat.WireType.LengthDelimited || field?.FieldType is not (FieldType.String or FieldType.Message))
            {
                input.SkipLastField();
                continue;
            }

            var bytes = input.ReadBytes();
            if (field.FieldType == FieldType.Message)
            {
                Walk(field.MessageType, bytes.ToByteArray());
            }
            else if (!Utf8.IsValid(bytes.Span))
            {
                throw new GrpcException(StatusCode.InvalidArgument, $"{field.FullName} is not valid UTF-8");
            }
        }
    }
}
