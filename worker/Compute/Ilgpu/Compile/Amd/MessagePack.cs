using System.Buffers.Binary;
using System.Text;

namespace Cluster.Worker.Compute.Ilgpu.Compile.Amd;

/// <summary>Reads MessagePack as far as compilers write it into code objects: maps with names for keys, lists, texts, numbers.</summary>
internal ref struct MessagePack(ReadOnlySpan<byte> bytes)
{
    private const int MaxDepth = 16;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;

    /// <returns>A <c>Dictionary&lt;string, object?&gt;</c>, <c>List&lt;object?&gt;</c>, <c>string</c>, <c>long</c>, <c>bool</c> or
    /// null.</returns>
    /// <exception cref="FormatException">It is something else, or ends too early.</exception>
    public object? Read() => Read(0);

    private object? Read(int depth)
    {
        if (depth > MaxDepth)
        {
            throw new FormatException($"MessagePack nested deeper than {MaxDepth}");
        }

        var code = Take(1)[0];
        return code switch
        {
            <= 0x7f => (long)code,
            <= 0x8f => Map(code & 0xf, depth),
            <= 0x9f => List(code & 0xf, depth),
            <= 0xbf => Text(code & 0x1f),
            0xc0 => null,
            0xc2 => false,
            0xc3 => true,
            0xcc or 0xcd or 0xce or 0xcf => Number(1 << (code - 0xcc)),
            0xd0 => (long)(sbyte)Take(1)[0],
            0xd1 => (long)BinaryPrimitives.ReadInt16BigEndian(Take(2)),
            0xd2 => (long)BinaryPrimitives.ReadInt32BigEndian(Take(4)),
            0xd3 => BinaryPrimitives.ReadInt64BigEndian(Take(8)),
            0xd9 or 0xda or 0xdb => Text(Length(1 << (code - 0xd9))),
            0xdc or 0xdd => List(Length(2 << (code - 0xdc)), depth),
            0xde or 0xdf => Map(Length(2 << (code - 0xde)), depth),
            >= 0xe0 => (long)(sbyte)code,
            _ => throw new FormatException($"MessagePack of type 0x{code:x2}"),
        };
    }

    private Dictionary<string, object?> Map(int count, int depth)
    {
        var map = new Dictionary<string, object?>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            var key = Read(depth + 1) as string ?? throw new FormatException("a MessagePack key that is no text");
            map[key] = Read(depth + 1);
        }

        return map;
    }

    private List<object?> List(int count, int depth)
    {
        var list = new List<object?>();
        for (var i = 0; i < count; i++)
        {
            list.Add(Read(depth + 1));
        }

        return list;
    }

    private string Text(int bytes) => Encoding.UTF8.GetString(Take(bytes));

    private int Length(int bytes) => Number(bytes) is >= 0 and <= int.MaxValue and var length
        ? (int)length
        : throw new FormatException("MessagePack longer than its file");

    private long Number(int bytes)
    {
        var value = 0L;
        foreach (var one in Take(bytes))
        {
            value = (value << 8) | one;
        }

        return value;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - _at)
        {
            throw new FormatException("MessagePack that ends too early");
        }

        _at += count;
        return _bytes.Slice(_at - count, count);
    }
}
