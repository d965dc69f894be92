using System.Numerics;

namespace Cluster.Worker.Engine;

/// <summary>Finds the likeliest tokens of a row without sorting it: quickselect over keys that order (logit, token). Called by <see cref="Sampler"/>.</summary>
/// <remarks>A key is unique, smaller for a larger logit and, between equal logits, for a smaller token id, so that every selection has
/// one right answer. Bad pivots fall back to a sort, which bounds the cost (introselect).
/// <code>
/// bit 63 … 32  bits of the logit, flipped so that they order backwards    bit 31 … 0  token id
/// </code></remarks>
internal static class PartialSelection
{
    private const int SortBelow = 24;
    private const int MaxStretches = 4096;

    /// <param name="logit">Not NaN.</param>
    public static ulong Key(float logit, int tokenId)
    {
        // + 0 turns -0 into 0: the two are equal logits.
        var bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        var ascending = (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
        return ((ulong)~ascending << 32) | (uint)tokenId;
    }

    public static int TokenId(ulong key) => (int)(uint)key;

    /// <summary>A logit that at least <paramref name="count"/> of the logits reach, so that a search for the largest can skip all below it.
    /// The maxima of equal stretches are logits themselves; the count-th largest of them is such a bound, and mostly a close one.</summary>
    /// <param name="logits">Without NaN.</param>
    /// <returns>-∞ where a bound would not pay.</returns>
    public static float Floor(ReadOnlySpan<float> logits, int count)
    {
        if (count > MaxStretches / 4 || count > logits.Length / 128)
        {
            return float.NegativeInfinity;
        }

        Span<float> maxima = stackalloc float[Math.Min(16 * count, MaxStretches)];
        var length = logits.Length / maxima.Length;
        for (var i = 0; i < maxima.Length; i++)
        {
            maxima[i] = LogitMath.Max(logits.Slice(i * length, length));
        }

        maxima.Sort();
        return maxima[^count];
    }

    /// <summary>Brings the smallest keys to the front, in no order.</summary>
    public static void SelectCount(Span<ulong> keys, int count)
    {
        var from = 0;
        var to = keys.Length;
        for (var rounds = MaxRounds(keys.Length); to - from > SortBelow && rounds > 0; rounds--)
        {
            var pivot = from + Partition(keys[from..to]);
            if (pivot == count)
            {
                return;
            }

            if (pivot > count)
            {
                to = pivot;
            }
            else
            {
                from = pivot + 1;
            }
        }

        keys[from..to].Sort();
    }

    /// <summary>Brings the smallest keys whose weights add up to at least <paramref name="mass"/> to the front, in no order.</summary>
    /// <param name="weights">By token id.</param>
    /// <returns>How many keys that takes; at least one, all when the mass is never reached.</returns>
    public static int SelectMass(Span<ulong> keys, ReadOnlySpan<float> weights, double mass)
    {
        var from = 0;
        var to = keys.Length;
        var before = 0.0;
        for (var rounds = MaxRounds(keys.Length); to - from > SortBelow && rounds > 0; rounds--)
        {
            var pivot = from + Partition(keys[from..to]);
            var left = 0.0;
            foreach (var key in keys[from..pivot])
            {
                left += weights[TokenId(key)];
            }

            if (before + left >= mass)
            {
                to = pivot;
            }
            else
            {
                before += left + weights[TokenId(keys[pivot])];
                from = pivot + 1;
                if (before >= mass)
                {
                    return from;
                }
            }
        }

        keys[from..to].Sort();
        for (; from < to && before < mass; from++)
        {
            before += weights[TokenId(keys[from])];
        }

        return Math.Max(from, 1);
    }

    private static int MaxRounds(int length) => 2 * BitOperations.Log2((uint)length | 1) + 2;

    /// <summary>Splits keys around the median of three of them.</summary>
    /// <returns>Where that key ended up: smaller ones before, larger ones behind.</returns>
    private static int Partition(Span<ulong> keys)
    {
        var last = keys.Length - 1;
        SortPair(keys, 0, last / 2);
        SortPair(keys, last / 2, last);
        SortPair(keys, 0, last / 2);
        (keys[last / 2], keys[last]) = (keys[last], keys[last / 2]);
        var pivot = keys[last];
        var smaller = 0;
        for (var i = 0; i < last; i++)
        {
            if (keys[i] < pivot)
            {
                (keys[i], keys[smaller]) = (keys[smaller], keys[i]);
                smaller++;
            }
        }

        (keys[smaller], keys[last]) = (keys[last], keys[smaller]);
        return smaller;
    }

    private static void SortPair(Span<ulong> keys, int a, int b)
    {
        if (keys[b] < keys[a])
        {
            (keys[a], keys[b]) = (keys[b], keys[a]);
        }
    }
}
