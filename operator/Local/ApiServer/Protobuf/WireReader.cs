using System.Buffers.Binary;

namespace Cluster.Operator.Local.ApiServer.Protobuf;

/// <summary>Reads the protobuf wire format field by field (protobuf.dev, "Encoding"). Never reads past its span.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>The current field's number.</summary>
    public int Number { get; private set; }

    /// <summary>The value of a varint or fixed field.</summary>
    public ulong Integer { get; private set; }

    /// <summary>The content of a length-delimited field.</summary>
    public ReadOnlySpan<byte> Content { get; private set; }

    /// <summary>Whether the field says nothing: zero or empty, which Go's encoder writes for absent values.</summary>
    public readonly bool IsZero => Integer == 0 && Content.IsEmpty;

    /// <returns>false at the end.</returns>
    /// <exception cref="ApiException">400 when the bytes are malformed.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }
        var tag = Varint();
        Number = (int)(tag >> 3);
        Integer = 0;
        Content = default;
        switch (tag & 7)
        {
            case 0:
                Integer = Varint();
                break;
            case 1:
                Integer = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                Content = Take(Varint());
                break;
            case 5:
                Integer = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw ApiErrors.BadRequest($"the protobuf body has a field of wire type {tag & 7}");
        }
        return true;
    }

    private ulong Varint()
    {
        var value = 0UL;
        for (var i = 0; i < 10 && i < _rest.Length; i++)
        {
            value |= (ulong)(_rest[i] & 0x7f) << (7 * i);
            if (_rest[i] < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }
        throw ApiErrors.BadRequest("the protobuf body ends inside a number");
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length)
        {
            throw ApiErrors.BadRequest($"the protobuf body ends {length - (ulong)_rest.Length} bytes inside a field");
        }
        var taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }
}
