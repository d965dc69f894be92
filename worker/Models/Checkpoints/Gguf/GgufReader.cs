using System.Buffers.Binary;
using System.Text;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Walks the head of a GGUF file: little-endian numbers and strings with their length before them. Nothing is allocated by a
/// length that the file claims and has not.</summary>
internal ref struct GgufReader(string file, ReadOnlySpan<byte> bytes, int position)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; private set; } = position;

    private readonly int Left => _bytes.Length - Position;

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint), what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong), what));

    /// <summary>A string's bytes, which are UTF-8.</summary>
    /// <exception cref="CheckpointFormatException">It is longer than allowed or than the file, or no UTF-8.</exception>
    public ReadOnlySpan<byte> Utf8(string what, int maxBytes)
    {
        var length = UInt64(what);
        if (length > (ulong)maxBytes)
        {
            throw new CheckpointFormatException(file, $"{what} claims {length} bytes; at most {maxBytes} are allowed");
        }

        var text = Take((long)length, what);
        return System.Text.Unicode.Utf8.IsValid(text)
            ? text
            : throw new CheckpointFormatException(file, $"{what} is not UTF-8");
    }

    public string Text(string what, int maxBytes) => Encoding.UTF8.GetString(Utf8(what, maxBytes));

    /// <summary>Passes over a value and says where it is.</summary>
    /// <exception cref="CheckpointFormatException">It is of an unknown type, nested, or does not fit the file.</exception>
    public GgufValue Value(string what)
    {
        var type = ValueType(what);
        var count = 1UL;
        var isArray = type == GgufValueType.Array;
        if (isArray)
        {
            type = ValueType(what);
            count = UInt64(what);
            if (type == GgufValueType.Array)
            {
                throw new CheckpointFormatException(file, $"{what} is an array of arrays; only arrays of single values are supported");
            }
        }

        var begin = Position;
        if (count > (ulong)(Left / MinSize(type)))
        {
            throw new CheckpointFormatException(file, $"{what} claims {count} values, which do not fit the {Left} bytes that are left");
        }

        if (type != GgufValueType.Text)
        {
            Take((long)count * MinSize(type), what);
        }

        for (var i = 0UL; type == GgufValueType.Text && i < count; i++)
        {
            Utf8(what, _bytes.Length);
        }

        return new GgufValue(type, isArray, (int)count, begin);
    }

    /// <summary>Bytes that follow, which are passed over.</summary>
    public ReadOnlySpan<byte> Take(long count, string what)
    {
        if (count > Left)
        {
            throw new CheckpointFormatException(file, $"is truncated: {what} takes {count} bytes, {Left} are left");
        }

        var taken = _bytes.Slice(Position, (int)count);
        Position += (int)count;
        return taken;
    }

    /// <summary>Bytes of a value; of a string those of its length.</summary>
    public static int MinSize(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Boolean => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        _ => 8,
    };

    private GgufValueType ValueType(string what)
    {
        var number = UInt32(what);
        return number <= (uint)GgufValueType.Float64
            ? (GgufValueType)number
            : throw new CheckpointFormatException(file, $"{what} has values of type {number}; there are types 0 to 12");
    }
}
