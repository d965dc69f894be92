using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>Messages of <c>cluster.v1</c> by field numbers, for a worker and a client that have not its classes.</summary>
internal static class FakeGrpc
{
    /// <summary>A frame with {model = 1, prompt = 3, sampling = 6 {max_tokens = 10}}.</summary>
    public static byte[] Request(string model, string prompt, int most, params byte[] more)
    {
        using var sampling = new MemoryStream();
        using (var output = new CodedOutputStream(sampling, leaveOpen: true))
        {
            output.WriteTag(10, WireFormat.WireType.Varint);
            output.WriteUInt32((uint)most);
        }

        using var message = new MemoryStream();
        using (var output = new CodedOutputStream(message, leaveOpen: true))
        {
            output.WriteTag(1, WireFormat.WireType.LengthDelimited);
            output.WriteString(model);
            output.WriteTag(3, WireFormat.WireType.LengthDelimited);
            output.WriteString(prompt);
            output.WriteTag(6, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(sampling.ToArray()));
        }

        message.Write(more);
        return Frame(message.ToArray());
    }

    public static (string Prompt, int Most, JsonObject? Envelope) ReadRequest(byte[] message)
    {
        var input = new CodedInputStream(message);
        var (prompt, most, envelope) = ("", 8, (JsonObject?)null);
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 3:
                    prompt = input.ReadString();
                    break;
                case 6:
                    var sampling = new CodedInputStream(input.ReadBytes().ToByteArray());
                    sampling.ReadTag();
                    most = (int)sampling.ReadUInt32();
                    break;
                case 15000:
                    envelope = JsonNode.Parse(input.ReadBytes().Span)!.AsObject();
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        return (prompt, most, envelope);
    }

    /// <summary>A frame with {text = 3, token_ids = 4}.</summary>
    public static byte[] Answer(IReadOnlyList<int> tokens)
    {
        using var ids = new MemoryStream();
        using (var output = new CodedOutputStream(ids, leaveOpen: true))
        {
            foreach (var token in tokens)
            {
                output.WriteUInt32((uint)token);
            }
        }

        using var message = new MemoryStream();
        using (var output = new CodedOutputStream(message, leaveOpen: true))
        {
            output.WriteTag(3, WireFormat.WireType.LengthDelimited);
            output.WriteString(string.Concat(tokens.Select(token => $"w{token} ")));
            output.WriteTag(4, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(ids.ToArray()));
        }

        return Frame(message.ToArray());
    }

    /// <summary>Texts of the answers in a body.</summary>
    public static string Texts(byte[] body)
    {
        var texts = new StringBuilder();
        for (var at = 0; at < body.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(at + 1));
            var input = new CodedInputStream(body, at + 5, length);
            for (uint tag; (tag = input.ReadTag()) != 0;)
            {
                if (WireFormat.GetTagFieldNumber(tag) == 3)
                {
                    texts.Append(input.ReadString());
                }
                else
                {
                    input.SkipLastField();
                }
            }

            at += 5 + length;
        }

        return texts.ToString();
    }

    public static byte[] Frame(byte[] message)
    {
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        return frame;
    }
}
