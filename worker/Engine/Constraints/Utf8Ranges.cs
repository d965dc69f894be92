using System.Text;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Splits a range of scalar values into sequences of byte ranges that together are exactly its UTF-8. Called by
/// <see cref="AutomatonBuilder"/>.</summary>
/// <remarks>A range is cut where the encoding gets longer, and where a continuation byte does not run through all of 80…BF while one before
/// it changes; what is left is a product of byte ranges.</remarks>
internal static class Utf8Ranges
{
    private const int ContinuationBits = 6;

    /// <param name="low">First scalar value; the range holds no surrogates.</param>
    /// <param name="high">Last scalar value.</param>
    public static IEnumerable<(byte Low, byte High)[]> Split(int low, int high)
    {
        foreach (var last in (ReadOnlySpan<int>)[0x7F, 0x7FF, 0xFFFF])
        {
            if (low <= last && high > last)
            {
                return Split(low, last).Concat(Split(last + 1, high));
            }
        }

        for (var bits = ContinuationBits; bits < 4 * ContinuationBits && high > 0x7F; bits += ContinuationBits)
        {
            var mask = (1 << bits) - 1;
            if ((low & ~mask) == (high & ~mask))
            {
                break;
            }

            if ((low & mask) != 0)
            {
                return Split(low, low | mask).Concat(Split((low | mask) + 1, high));
            }

            if ((high & mask) != mask)
            {
                return Split(low, (high & ~mask) - 1).Concat(Split(high & ~mask, high));
            }
        }

        Span<byte> first = stackalloc byte[4];
        Span<byte> end = stackalloc byte[4];
        var length = new Rune(low).EncodeToUtf8(first);
        new Rune(high).EncodeToUtf8(end);
        var sequence = new (byte Low, byte High)[length];
        for (var i = 0; i < length; i++)
        {
            sequence[i] = (first[i], end[i]);
        }

        return [sequence];
    }
}
