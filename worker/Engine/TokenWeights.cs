using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Draws;

namespace Cluster.Worker.Engine;

/// <summary>How likely each token of a row is, up to a common factor, with sums of stretches of the row, so that a draw looks at one
/// stretch only. Scratch space of <see cref="Sampler"/>: filled for each draw, allocates nothing.</summary>
/// <remarks>Sums are those of <see cref="TokenMass"/>: the same row gives the same weights, sums and draws everywhere, on other devices
/// too.
/// <code>
/// weights   w0 w1 … w63 │ w64 … w127 │ … │ …  0 0      padded to whole stretches with tokens that cannot be
/// masses    └ their sum │ └ sum      │ … │
/// </code></remarks>
internal sealed class TokenWeights(int vocabSize)
{
    private const int Stretch = 64;
    private const int Width = 8;

    /// <summary>Tokens whose masses, in two parts, fit eight sums of 32 bits.</summary>
    private const int Block = 512;

    private readonly float[] _weights = new float[(vocabSize + Stretch - 1) / Stretch * Stretch];
    private readonly ulong[] _masses = new ulong[(vocabSize + Stretch - 1) / Stretch];

    private interface IRule
    {
        /// <param name="token">The first one's id.</param>
        Vector256<float> Weigh(Vector256<float> logits, Vector256<float> weights, int token);
    }

    /// <summary>By token id.</summary>
    public ReadOnlySpan<float> Values => _weights.AsSpan(0, vocabSize);

    /// <summary>As <see cref="TokenMass"/>.</summary>
    public ulong Total { get; private set; }

    /// <summary>Tokens in whole vectors.</summary>
    private int NumWhole => vocabSize / Width * Width;

    /// <summary>Makes each weight exp((logit - max) / temperature).</summary>
    /// <param name="logits"><c>[vocabSize]</c>, at most <paramref name="max"/>, without NaN.</param>
    public void Fill(ReadOnlySpan<float> logits, float max, float temperature) =>
        Apply(logits, new Softmax(Vector256.Create(max), Vector256.Create(temperature)));

    /// <summary>Drops tokens below a weight.</summary>
    /// <param name="logits">As for <see cref="Fill"/>.</param>
    public void DropBelow(ReadOnlySpan<float> logits, float minWeight) => Apply(logits, new AtLeast(Vector256.Create(minWeight)));

    /// <summary>Drops the tokens that come after one when ordered by falling logit; of equal ones the lower id comes first.</summary>
    /// <param name="logits">As for <see cref="Fill"/>.</param>
    public void DropBehind(ReadOnlySpan<float> logits, int token) =>
        Apply(logits, new UpTo(Vector256.Create(logits[token]), Vector256.Create(token)));

    /// <summary>The masses of the tokens whose logits reach each of three bounds; one pass.</summary>
    public (ulong First, ulong Second, ulong Third) MassesFrom(ReadOnlySpan<float> logits, float first, float second, float third)
    {
        var (firsts, seconds, thirds) = (Vector256.Create(first), Vector256.Create(second), Vector256.Create(third));
        var (firstSum, secondSum, thirdSum) = (Vector256<ulong>.Zero, Vector256<ulong>.Zero, Vector256<ulong>.Zero);
        ref var weight = ref MemoryMarshal.GetArrayDataReference(_weights);
        if (NumWhole < vocabSize)
        {
            var (high, low) = Split(Vector256.LoadUnsafe(ref weight, (nuint)NumWhole));
            var reach = Last(logits);
            firstSum += Wide(high & Reach(reach, firsts), low & Reach(reach, firsts));
            secondSum += Wide(high & Reach(reach, seconds), low & Reach(reach, seconds));
            thirdSum += Wide(high & Reach(reach, thirds), low & Reach(reach, thirds));
        }

        ref var logit = ref MemoryMarshal.GetReference(logits);
        for (var token = 0; token < NumWhole;)
        {
            var (firstHigh, firstLow) = (Vector256<int>.Zero, Vector256<int>.Zero);
            var (secondHigh, secondLow) = (Vector256<int>.Zero, Vector256<int>.Zero);
            var (thirdHigh, thirdLow) = (Vector256<int>.Zero, Vector256<int>.Zero);
            for (var end = Math.Min(NumWhole, token + Block); token < end; token += Width)
            {
                var (high, low) = Split(Vector256.LoadUnsafe(ref weight, (nuint)token));
                var reach = Vector256.LoadUnsafe(ref logit, (nuint)token);
                var mask = Reach(reach, firsts);
                firstHigh += high & mask;
                firstLow += low & mask;
                mask = Reach(reach, seconds);
                secondHigh += high & mask;
                secondLow += low & mask;
                mask = Reach(reach, thirds);
                thirdHigh += high & mask;
                thirdLow += low & mask;
            }

            firstSum += Wide(firstHigh, firstLow);
            secondSum += Wide(secondHigh, secondLow);
            thirdSum += Wide(thirdHigh, thirdLow);
        }

        return (Vector256.Sum(firstSum), Vector256.Sum(secondSum), Vector256.Sum(thirdSum));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector256<int> Reach(Vector256<float> logits, Vector256<float> bounds) =>
            Vector256.GreaterThanOrEqual(logits, bounds).AsInt32();
    }

    /// <summary>The sum of exp(logit - max) over a row, in double precision. Leaves the weights as they are.</summary>
    /// <param name="logits">As for <see cref="Fill"/>.</param>
    public double SumOf(ReadOnlySpan<float> logits, float max)
    {
        var maxima = Vector256.Create(max);
        var rest = NumWhole < vocabSize ? Sum(Widened(LogitMath.Exp(Last(logits) - maxima))) : 0;
        ref var logit = ref MemoryMarshal.GetReference(logits);
        var total = 0.0;
        for (var token = 0; token < NumWhole;)
        {
            var sum = Vector256<double>.Zero;
            for (var end = Math.Min(NumWhole, token + Stretch); token < end; token += Width)
            {
                sum += Widened(LogitMath.Exp(Vector256.LoadUnsafe(ref logit, (nuint)token) - maxima));
            }

            total += Sum(sum);
        }

        return total + rest;
    }

    /// <summary>The first token of the vocabulary at which the masses so far exceed a place among them.</summary>
    /// <param name="place">Below <see cref="Total"/>.</param>
    public int Pick(ulong place)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(place, Total);
        var stretch = 0;
        while (place >= _masses[stretch])
        {
            place -= _masses[stretch++];
        }

        var token = stretch * Stretch;
        for (var mass = TokenMass.Of(_weights[token]); place >= mass; mass = TokenMass.Of(_weights[token]))
        {
            place -= mass;
            token++;
        }

        return token;
    }

    private void Apply<T>(ReadOnlySpan<float> logits, T rule)
        where T : struct, IRule
    {
        // First what lies behind the last whole vector: a call after the loop would keep its sums in memory.
        ref var weight = ref MemoryMarshal.GetArrayDataReference(_weights);
        var rest = NumWhole < vocabSize
            ? rule.Weigh(Last(logits), Vector256.LoadUnsafe(ref weight, (nuint)NumWhole), NumWhole)
            : Vector256<float>.Zero;
        ref var logit = ref MemoryMarshal.GetReference(logits);
        var total = 0UL;
        for (var stretch = 0; stretch < _masses.Length; stretch++)
        {
            var (highs, lows) = (Vector256<int>.Zero, Vector256<int>.Zero);
            var end = Math.Min(NumWhole, (stretch + 1) * Stretch);
            for (var token = stretch * Stretch; token < end; token += Width)
            {
                var weighed = rule.Weigh(
                    Vector256.LoadUnsafe(ref logit, (nuint)token), Vector256.LoadUnsafe(ref weight, (nuint)token), token);
                weighed.StoreUnsafe(ref weight, (nuint)token);
                var (high, low) = Split(weighed);
                highs += high;
                lows += low;
            }

            _masses[stretch] = Mass(highs, lows);
            total += _masses[stretch];
        }

        if (NumWhole < vocabSize)
        {
            rest.StoreUnsafe(ref weight, (nuint)NumWhole);
            var (high, low) = Split(rest);
            var mass = Mass(high, low);
            _masses[^1] += mass;
            total += mass;
        }

        Total = total;
    }

    /// <summary>The logits behind the last whole vector, padded with -∞.</summary>
    private static Vector256<float> Last(ReadOnlySpan<float> logits)
    {
        Span<float> padded = stackalloc float[Width];
        padded.Fill(float.NegativeInfinity);
        logits[(logits.Length / Width * Width)..].CopyTo(padded);
        return Vector256.Create<float>(padded);
    }

    /// <summary><see cref="TokenMass.Of"/> in two parts: the upper ones of 24 bits, the lower ones of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<int> High, Vector256<int> Low) Split(Vector256<float> weights)
    {
        var scaled = weights * Vector256.Create(16777216f);
        var high = Vector256.ConvertToInt32Native(scaled);
        return (high, Vector256.ConvertToInt32Native((scaled - Vector256.ConvertToSingle(high)) * Vector256.Create(65536f)));
    }

    /// <param name="high">Sums over at most a stretch.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mass(Vector256<int> high, Vector256<int> low) =>
        ((ulong)(uint)Vector256.Sum(high) << 16) + (uint)Vector256.Sum(low);

    /// <param name="high">Sums over at most a block.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Wide(Vector256<int> high, Vector256<int> low)
    {
        var (highs, lows) = (high.AsUInt32(), low.AsUInt32());
        return ((Vector256.WidenLower(highs) + Vector256.WidenUpper(highs)) << 16)
            + Vector256.WidenLower(lows) + Vector256.WidenUpper(lows);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Widened(Vector256<float> values) => Vector256.WidenLower(values) + Vector256.WidenUpper(values);

    private static double Sum(Vector256<double> values)
    {
        var pair = values.GetLower() + values.GetUpper();
        return pair[0] + pair[1];
    }

    private readonly struct Softmax(Vector256<float> max, Vector256<float> temperature) : IRule
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> Weigh(Vector256<float> logits, Vector256<float> weights, int token) =>
        LogitMath.Exp((logits - max) / temperature);
    }

    private readonly struct AtLeast(Vector256<float> least) : IRule
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> Weigh(Vector256<float> logits, Vector256<float> weights, int token) =>
        weights & Vector256.GreaterThanOrEqual(weights, least);
    }

    private readonly struct UpTo(Vector256<float> logit, Vector256<int> last) : IRule
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> Weigh(Vector256<float> logits, Vector256<float> weights, int token)
        {
            var ids = Vector256.Create(token) + Vector256<int>.Indices;
            var first = Vector256.LessThanOrEqual(ids, last).AsSingle();
            return weights & (Vector256.GreaterThan(logits, logit) | (Vector256.Equals(logits, logit) & first));
        }
    }
}
