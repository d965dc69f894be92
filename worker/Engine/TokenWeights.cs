using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Cluster.Worker.Engine;

/// <summary>How likely each token of a row is, up to a common factor, with sums of stretches of the row, so that a draw looks at one
/// stretch only. Scratch space of <see cref="Sampler"/>: filled for each draw, allocates nothing.</summary>
/// <remarks>Every pass walks vectors of eight in the vocabulary's order and adds in double precision, whatever the processor's width: the
/// same row gives the same weights, sums and draws everywhere.
/// <code>
/// weights   w0 w1 … w63 │ w64 … w127 │ … │ …  0 0      padded to whole stretches with tokens that cannot be
/// masses    └ their sum │ └ sum      │ … │
/// </code></remarks>
internal sealed class TokenWeights(int vocabSize)
{
    private const int Stretch = 64;
    private const int Width = 8;

    private readonly float[] _weights = new float[(vocabSize + Stretch - 1) / Stretch * Stretch];
    private readonly double[] _masses = new double[(vocabSize + Stretch - 1) / Stretch];

    private interface IRule
    {
        /// <param name="token">The first one's id.</param>
        Vector256<float> Weigh(Vector256<float> logits, Vector256<float> weights, int token);
    }

    /// <summary>By token id.</summary>
    public ReadOnlySpan<float> Values => _weights.AsSpan(0, vocabSize);

    public double Total { get; private set; }

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

    /// <summary>The sums of the weights whose logits reach each of three bounds; one pass.</summary>
    public (double First, double Second, double Third) MassesFrom(ReadOnlySpan<float> logits, float first, float second, float third)
    {
        var (firsts, seconds, thirds) = (Vector256.Create(first), Vector256.Create(second), Vector256.Create(third));
        var (firstSum, secondSum, thirdSum) = (Vector256<double>.Zero, Vector256<double>.Zero, Vector256<double>.Zero);
        ref var weight = ref MemoryMarshal.GetArrayDataReference(_weights);
        if (NumWhole < vocabSize)
        {
            Add(Last(logits), Vector256.LoadUnsafe(ref weight, (nuint)NumWhole));
        }

        ref var logit = ref MemoryMarshal.GetReference(logits);
        for (var token = 0; token < NumWhole; token += Width)
        {
            Add(Vector256.LoadUnsafe(ref logit, (nuint)token), Vector256.LoadUnsafe(ref weight, (nuint)token));
        }

        return (Sum(firstSum), Sum(secondSum), Sum(thirdSum));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Add(Vector256<float> reach, Vector256<float> add)
        {
            firstSum += Widened(add & Vector256.GreaterThanOrEqual(reach, firsts));
            secondSum += Widened(add & Vector256.GreaterThanOrEqual(reach, seconds));
            thirdSum += Widened(add & Vector256.GreaterThanOrEqual(reach, thirds));
        }
    }

    /// <summary>The first token of the vocabulary at which the weights so far exceed a share of their total.</summary>
    /// <param name="share">In [0, 1).</param>
    public int Pick(double share)
    {
        var target = share * Total;
        var stretch = 0;
        while (stretch < _masses.Length && target >= _masses[stretch])
        {
            target -= _masses[stretch++];
        }

        // Sums are rounded, so the target may be passed a little later than the stretch's own sum promised, or not at all.
        var token = stretch * Stretch;
        for (; token < _weights.Length && target >= _weights[token]; token++)
        {
            target -= _weights[token];
        }

        return token < _weights.Length ? token : _weights.AsSpan().LastIndexOfAnyExcept(0f);
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
        var total = 0.0;
        for (var stretch = 0; stretch < _masses.Length; stretch++)
        {
            var sum = Vector256<double>.Zero;
            var end = Math.Min(NumWhole, (stretch + 1) * Stretch);
            for (var token = stretch * Stretch; token < end; token += Width)
            {
                var weighed = rule.Weigh(
                    Vector256.LoadUnsafe(ref logit, (nuint)token), Vector256.LoadUnsafe(ref weight, (nuint)token), token);
                weighed.StoreUnsafe(ref weight, (nuint)token);
                sum += Widened(weighed);
            }

            _masses[stretch] = Sum(sum);
            total += _masses[stretch];
        }

        if (NumWhole < vocabSize)
        {
            rest.StoreUnsafe(ref weight, (nuint)NumWhole);
            var mass = Sum(Widened(rest));
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
