using Google.Protobuf;

namespace Cluster.Worker.Tests.Serving.Telemetry;

/// <summary>A protobuf message read without its schema: field numbers are those of opentelemetry-proto.</summary>
internal sealed class OtlpMessage
{
    private readonly List<(int Field, object Value)> _fields = [];

    /// <exception cref="FormatException">The bytes are no message.</exception>
    public OtlpMessage(byte[] bytes)
    {
        using var input = new CodedInputStream(bytes);
        while (input.ReadTag() is var tag and not 0)
        {
            _fields.Add((WireFormat.GetTagFieldNumber(tag), WireFormat.GetTagWireType(tag) switch
            {
                WireFormat.WireType.Varint => input.ReadUInt64(),
                WireFormat.WireType.Fixed64 => input.ReadFixed64(),
                WireFormat.WireType.Fixed32 => input.ReadFixed32(),
                WireFormat.WireType.LengthDelimited => input.ReadBytes(),
                var other => throw new FormatException($"wire type {other}"),
            }));
        }
    }

    public IEnumerable<OtlpMessage> Messages(int field) =>
        Values(field).Cast<ByteString>().Select(bytes => new OtlpMessage(bytes.ToByteArray()));

    public OtlpMessage? Message(int field) => Messages(field).SingleOrDefault();

    public string Text(int field) => ((ByteString?)Values(field).SingleOrDefault())?.ToStringUtf8() ?? "";

    public string Hex(int field) => Convert.ToHexStringLower(((ByteString?)Values(field).SingleOrDefault() ?? ByteString.Empty).Span);

    public ulong Number(int field) => (ulong?)Values(field).SingleOrDefault() ?? 0;

    public double Double(int field) => BitConverter.UInt64BitsToDouble(Number(field));

    /// <summary>A repeated number of eight bytes, packed as proto3 does.</summary>
    public IEnumerable<ulong> Packed(int field) =>
        Values(field).Cast<ByteString>().SelectMany(bytes => bytes.ToByteArray().Chunk(8)).Select(eight => BitConverter.ToUInt64(eight));

    /// <summary>A list of <c>KeyValue</c>: texts, numbers, booleans and arrays of texts (joined by commas), as text.</summary>
    public Dictionary<string, string> Attributes(int field) =>
        Messages(field).ToDictionary(pair => pair.Text(1), pair => AnyValue(pair.Message(2)!));

    private IEnumerable<object> Values(int field) => _fields.Where(one => one.Field == field).Select(one => one.Value);

    private static string AnyValue(OtlpMessage value) => value._fields.Single() switch
    {
        (1, ByteString text) => text.ToStringUtf8(),
        (2, ulong boolean) => boolean == 0 ? "false" : "true",
        (3, ulong number) => ((long)number).ToString(null, null),
        (4, ulong bits) => BitConverter.UInt64BitsToDouble(bits).ToString(System.Globalization.CultureInfo.InvariantCulture),
        (5, ByteString array) => string.Join(',', new OtlpMessage(array.ToByteArray()).Messages(1).Select(AnyValue)),
        var other => throw new FormatException($"AnyValue field {other.Field}"),
    };
}
