using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>Puts numbers at the edges of what a GGUF file's counts, lengths and types may be where others are.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed class GgufMutator : IMutator
{
    private static readonly ulong[] Edges =
        [0, 1, 2, 3, 8, 9, 12, 13, 14, 31, 32, 256, 257, int.MaxValue, uint.MaxValue, long.MaxValue, ulong.MaxValue, 1UL << 40];

    public byte[] Mutate(byte[] original, Random random)
    {
        var bytes = original.ToArray();
        for (var i = random.Next(3); i >= 0 && bytes.Length >= sizeof(ulong); i--)
        {
            var at = bytes.AsSpan(random.Next(bytes.Length - sizeof(ulong) + 1));
            var value = Edges[random.Next(Edges.Length)];
            if (random.Next(2) == 0)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)value);
            }
            else
            {
                BinaryPrimitives.WriteUInt64LittleEndian(at, value);
            }
        }

        return bytes;
    }
}
