using System.Numerics;
using Cluster.Worker.Draws;

namespace Cluster.Worker.Engine;

/// <summary>Finds the likeliest tokens of a row without sorting it: selection over keys that order (logit, token). Called by
/// <see cref="Sampler"/>.</summary>
/// <remarks>A key is unique, smaller for a larger logit and, between equal logits, for a smaller token id, so that every selection has
/// one right answer. Quickselect falls back to a sort after bad pivots, which bounds its cost (introselect).
/// <code>
/// bit 63 … 32  bits of the logit, flipped so that they order backwards    bit 31 … 0  token id
/// </code></remarks>
internal static class PartialSelection
{
    private const int SortBelow = 24;
    private const int MaxStretches = 4096;
    private const int RadixBits = 11;

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

    /// <summary>The largest of the smallest keys.</summary>
    /// <param name="count">How many; 1 to the number of keys.</param>
    /// <param name="scratch">As long as <paramref name="keys"/>.</param>
    public static ulong CutoffByCount(ReadOnlySpan<ulong> keys, int count, Span<ulong> scratch)
    {
        var selected = scratch[..keys.Length];
        keys.CopyTo(selected);
        SelectCount(selected, count);
        return Max(selected[..count]);
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

    /// <summary>The largest of the fewest smallest keys whose masses add up to a target. <see cref="TokenMass"/> is exact, so the answer is
    /// that of a full sort, whatever the order of the keys.</summary>
    /// <remarks>Radix selection: a histogram of masses by the keys' leading bits finds the bucket in which the mass is reached, and only
    /// that bucket's keys are looked at again, by their next bits.</remarks>
    /// <param name="keys">At least one.</param>
    /// <param name="weights">By token id; in [0, 1].</param>
    /// <param name="target">Above 0. When the masses never reach it, the answer is the largest key.</param>
    /// <param name="scratch">As long as <paramref name="keys"/>.</param>
    public static ulong CutoffByMass(ReadOnlySpan<ulong> keys, ReadOnlySpan<float> weights, ulong target, Span<ulong> scratch)
    {
        Span<ulong> masses = stackalloc ulong[1 << RadixBits];
        var candidates = keys;
        for (var shift = 64 - RadixBits; candidates.Length > SortBelow; shift = Math.Max(0, shift - RadixBits))
        {
            masses.Clear();
            foreach (var key in candidates)
            {
                masses[Digit(key, shift)] += TokenMass.Of(weights[TokenId(key)]);
            }

            var bucket = 0;
            while (bucket < masses.Length && masses[bucket] < target)
            {
                target -= masses[bucket++];
            }

            if (bucket == masses.Length)
            {
                return Max(candidates);
            }

            var count = 0;
            foreach (var key in candidates)
            {
                if (Digit(key, shift) == bucket)
                {
                    scratch[count++] = key;
                }
            }

            candidates = scratch[..count];
        }

        var sorted = scratch[..candidates.Length];
        candidates.CopyTo(sorted);
        sorted.Sort();
        foreach (var key in sorted)
        {
            var mass = TokenMass.Of(weights[TokenId(key)]);
            if (mass >= target)
            {
                return key;
            }

            target -= mass;
        }

        return sorted[^1];
    }

    /// <summary>Drops the keys above a cutoff; the order of the others stays.</summary>
    /// <returns>How many stay.</returns>
    public static int KeepUpTo(Span<ulong> keys, ulong cutoff)
    {
        var count = 0;
        foreach (var key in keys)
        {
            keys[count] = key;
            count += key <= cutoff ? 1 : 0;
        }

        return count;
    }

    private static int Digit(ulong key, int shift) => (int)(key >> shift) & ((1 << RadixBits) - 1);

    private static ulong Max(ReadOnlySpan<ulong> keys)
    {
        var max = keys[0];
        foreach (var key in keys)
        {
            max = Math.Max(max, key);
        }

        return max;
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
