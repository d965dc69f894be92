using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>Damages the header of a safetensors file and most often makes the length before it right again, so that the damage is the
/// header's.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed class SafetensorsMutator : IMutator
{
    private const int LengthBytes = 8;

    private static readonly TextMutator Header = new("\"F32\"", "\"BF16\"", "\"I64\"", "[0, 24]", "[24, 0]", "\"data_offsets\"");
    private static readonly ByteMutator Bytes = new();

    public byte[] Mutate(byte[] original, Random random)
    {
        if (original.Length < LengthBytes || random.Next(8) == 0)
        {
            return Bytes.Mutate(original, random);
        }

        var stated = BinaryPrimitives.ReadUInt64LittleEndian(original);
        var end = LengthBytes + (int)Math.Min(stated, (ulong)(original.Length - LengthBytes));
        var header = Header.Mutate(original[LengthBytes..end], random);
        return Join(header, original[end..]);
    }

    public static byte[] Join(byte[] header, byte[] data)
    {
        var file = new byte[LengthBytes + header.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, LengthBytes);
        data.CopyTo(file, LengthBytes + header.Length);
        return file;
    }
}
