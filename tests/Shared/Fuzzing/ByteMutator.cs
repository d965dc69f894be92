using System.Diagnostics.CodeAnalysis;

namespace Cluster.Tests.Shared.Fuzzing;

/// <summary>Damages bytes of which it knows nothing: one changed, some left out, repeated or added.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed class ByteMutator : IMutator
{
    public byte[] Mutate(byte[] original, Random random)
    {
        var bytes = original.ToList();
        for (var i = random.Next(3); i >= 0; i--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(5))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at, random.Next(6)));
                    break;
                case 3:
                    bytes.AddRange(bytes.GetRange(at, Math.Min(bytes.Count - at, random.Next(12))));
                    break;
                default:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
            }
        }

        return [.. bytes];
    }
}
