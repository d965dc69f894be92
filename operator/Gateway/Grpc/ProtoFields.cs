using Google.Protobuf;

namespace Cluster.Operator.Gateway.Grpc;

/// <summary>Reads single fields of messages whose types the gateway does not have: field numbers are the contract.</summary>
internal static class ProtoFields
{
    /// <summary>Calls for every field of a message, with its number.</summary>
    /// <param name="visit">Reads the field's value and returns true, or returns false to have it skipped.</param>
    /// <exception cref="InvalidProtocolBufferException">It is no message.</exception>
    public static void Visit(byte[] message, Func<int, WireFormat.WireType, CodedInputStream, bool> visit)
    {
        var input = new CodedInputStream(message);
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            if (!visit(WireFormat.GetTagFieldNumber(tag), WireFormat.GetTagWireType(tag), input))
            {
                input.SkipLastField();
            }
        }
    }

    /// <summary>Adds numbers of a repeated field, packed or not.</summary>
    public static void ReadNumbers(WireFormat.WireType type, CodedInputStream input, List<int> numbers)
    {
        if (type == WireFormat.WireType.Varint)
        {
            numbers.Add((int)input.ReadUInt32());
            return;
        }

        var packed = new CodedInputStream(input.ReadBytes().ToByteArray());
        while (!packed.IsAtEnd)
        {
            numbers.Add((int)packed.ReadUInt32());
        }
    }

    /// <summary>The message with one more field at its end.</summary>
    public static byte[] Append(byte[] message, int field, byte[] value)
    {
        var bytes = new MemoryStream(message.Length + value.Length + 16);
        bytes.Write(message);
        using (var output = new CodedOutputStream(bytes, leaveOpen: true))
        {
            output.WriteTag(field, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(value));
        }

        return bytes.ToArray();
    }
}
