using System.Diagnostics.CodeAnalysis;

namespace Cluster.Tests.Shared.Fuzzing;

/// <summary>Damages a protobuf message field by field, so that what comes out most often is one again (protobuf.dev, "Encoding"): a number
/// at its limits, a field twice, left out, of another number, or with damaged content. Bytes that are no message are damaged as
/// such.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed class ProtobufMutator : IMutator
{
    private const int MostFields = 1000;

    private static readonly ulong[] Numbers =
    [
        0, 1, 2, 127, 128, 4096, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue,
        0x7F80_0000, 0x7FC0_0000, 0xFF80_0000, 0x7FF0_0000_0000_0000,
    ];

    private static readonly ByteMutator Bytes = new();

    public byte[] Mutate(byte[] original, Random random)
    {
        if (random.Next(10) == 0 || Read(original) is not { Count: > 0 } fields)
        {
            return Bytes.Mutate(original, random);
        }

        var at = random.Next(fields.Count);
        switch (random.Next(8))
        {
            case 0:
                fields.RemoveAt(at);
                break;
            case 1:
                fields.Insert(random.Next(fields.Count + 1), fields[at]);
                break;
            case 2:
                fields[at] = fields[at] with { Number = random.Next(1, 40) };
                break;
            case 3:
                fields.Add(new Field(random.Next(1, 40), 0, Numbers[random.Next(Numbers.Length)], []));
                break;
            default:
                fields[at] = Damaged(fields[at], random);
                break;
        }

        using MemoryStream output = new();
        fields.ForEach(field => Write(output, field));
        return output.ToArray();
    }

    private Field Damaged(Field field, Random random) => field.Wire == 2
        ? field with { Content = random.Next(12) == 0 ? new byte[random.Next(5000)] : Mutate(field.Content, random) }
        : field with { Value = Numbers[random.Next(Numbers.Length)] };

    /// <returns>Null for what is no message.</returns>
    private static List<Field>? Read(ReadOnlySpan<byte> bytes)
    {
        List<Field> fields = [];
        while (bytes.Length > 0 && fields.Count < MostFields)
        {
            if (!TryVarint(ref bytes, out var tag) || tag >> 3 is 0 or > int.MaxValue)
            {
                return null;
            }

            var (number, wire) = ((int)(tag >> 3), (int)(tag & 7));
            ulong value = 0;
            var length = wire switch { 1 => 8, 5 => 4, _ => 0 };
            if (wire is 3 or 4 or > 5 || (wire is 0 or 2 && !TryVarint(ref bytes, out value)))
            {
                return null;
            }

            length = wire == 2 ? (int)Math.Min(value, int.MaxValue) : length;
            if (length > bytes.Length)
            {
                return null;
            }

            var content = bytes[..length].ToArray();
            for (var i = 0; wire is 1 or 5 && i < length; i++)
            {
                value |= (ulong)content[i] << (8 * i);
            }

            fields.Add(new Field(number, wire, value, content));
            bytes = bytes[length..];
        }

        return fields;
    }

    private static bool TryVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (var i = 0; i < 10 && i < bytes.Length; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return true;
            }
        }

        return false;
    }

    private static void Write(MemoryStream output, Field field)
    {
        Varint(output, ((ulong)field.Number << 3) | (uint)field.Wire);
        switch (field.Wire)
        {
            case 0:
                Varint(output, field.Value);
                break;
            case 2:
                Varint(output, (ulong)field.Content.Length);
                output.Write(field.Content);
                break;
            default:
                for (var i = 0; i < (field.Wire == 1 ? 8 : 4); i++)
                {
                    output.WriteByte((byte)(field.Value >> (8 * i)));
                }

                break;
        }
    }

    private static void Varint(MemoryStream output, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            output.WriteByte((byte)(value | 0x80));
        }

        output.WriteByte((byte)value);
    }

    private sealed record Field(int Number, int Wire, ulong Value, byte[] Content);
}
