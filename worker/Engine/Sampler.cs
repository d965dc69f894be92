using System.Numerics;

namespace Cluster.Worker.Engine;

/// <summary>Chooses the next token of a sequence from its logits. Called by <see cref="LlmEngine"/> on its thread. The choice is a function of logits
/// and <see cref="SamplingState"/> alone; the members here are scratch space, so one sampler serves all sequences, one after the other.</summary>
/// <remarks>
/// The order is vLLM's:
/// <list type="number">
/// <item>tokens that a structured output does not allow are masked, and stop tokens below the minimum length; then logit_bias is added;</item>
/// <item>repetition penalty over prompt and output, then frequency and presence penalty over the output;</item>
/// <item>temperature 0 takes the largest logit; of equal ones, the lowest token id;</item>
/// <item>otherwise exp(logit / temperature) are the weights; min_p, top_k and top_p, in this order, each drop the unlikely tail of what is left;
/// of equal logits the higher token id drops first;</item>
/// <item>one random number, a function of seed and output position, picks among the rest.</item>
/// </list>
/// </remarks>
internal sealed class Sampler(int vocabSize)
{
    /// <summary>Weights added up at once while looking for the one to pick.</summary>
    private const int Stretch = 64;

    private readonly float[] adjusted = new float[vocabSize];
    private readonly float[] weights = new float[vocabSize];
    private readonly ulong[] keys = new ulong[vocabSize];
    private readonly ulong[] selection = new ulong[vocabSize];

    /// <param name="logits"><c>[vocabSize]</c></param>
    /// <returns>The token id.</returns>
    /// <exception cref="GenerationFailedException">The logits hold NaN or +∞, or leave no token to choose.</exception>
    public int Sample(ReadOnlySpan<float> logits, SamplingState state)
    {
        if (state.AdjustsLogits)
        {
            logits = Adjust(logits, state);
        }

        var max = LogitMath.Max(logits);
        if (!float.IsFinite(max))
        {
            throw new GenerationFailedException(float.IsNegativeInfinity(max)
                ? "every token is masked: no finite logit is left to choose from"
                : $"the model computed a logit of {(float.IsNaN(max) ? "NaN" : "+infinity")} at output position {state.NumAccepted}");
        }

        return Choose(logits, max, state, 0);
    }

    /// <summary>What <see cref="Sample"/> would choose some tokens later if these were its logits: the same rule with the random number of that position.
    /// What depends on the tokens in between (penalties, masks) is left out, so it is a guess.</summary>
    /// <param name="logits"><c>[vocabSize]</c>, a draft model's.</param>
    /// <param name="ahead">Tokens in between.</param>
    /// <returns>The token id; -1 when the logits allow no choice.</returns>
    public int Guess(ReadOnlySpan<float> logits, SamplingState state, int ahead)
    {
        var max = LogitMath.Max(logits);
        return float.IsFinite(max) ? Choose(logits, max, state, ahead) : -1;
    }

    /// <summary>Natural-log probabilities by the model's own logits, before any adjustment or temperature.</summary>
    /// <param name="logits"><c>[vocabSize]</c>, finite or -∞.</param>
    /// <param name="sampled">The chosen token.</param>
    /// <param name="numTop">How many of the likeliest to report, best first; of equal ones, the lower token id first.</param>
    public PositionLogprobs Logprobs(ReadOnlySpan<float> logits, int sampled, int numTop)
    {
        var max = LogitMath.Max(logits);
        var logSum = Math.Log(LogitMath.Exponentials(logits, max, 1, weights));
        var top = new TokenLogprob[Math.Min(numTop, logits.Length)];
        if (top.Length > 0)
        {
            var candidates = Candidates(logits, PartialSelection.Floor(logits, top.Length), 0);
            PartialSelection.SelectCount(candidates, top.Length);
            candidates[..top.Length].Sort();
            for (var i = 0; i < top.Length; i++)
            {
                top[i] = Logprob(logits, PartialSelection.TokenId(candidates[i]), max, logSum);
            }
        }

        return new PositionLogprobs(Logprob(logits, sampled, max, logSum), top);
    }

    private static TokenLogprob Logprob(ReadOnlySpan<float> logits, int token, float max, double logSum) =>
        new(token, (float)((double)logits[token] - max - logSum));

    private ReadOnlySpan<float> Adjust(ReadOnlySpan<float> logits, SamplingState state)
    {
        var parameters = state.Parameters;
        logits.CopyTo(adjusted);
        if (state.Constraint is { } constraint)
        {
            KeepOnly(constraint.Mask);
        }

        if (state.MasksStopTokens)
        {
            foreach (var token in state.StopTokens)
            {
                adjusted[token] = float.NegativeInfinity;
            }
        }

        if (parameters.LogitBias is not null)
        {
            foreach (var (token, bias) in parameters.LogitBias)
            {
                adjusted[token] += Math.Clamp(bias, -100, 100);
            }
        }

        if (state.SeenTokens is not null)
        {
            foreach (var token in state.SeenTokens)
            {
                ref var logit = ref adjusted[token];
                logit = logit > 0 ? logit / parameters.RepetitionPenalty : logit * parameters.RepetitionPenalty;
            }
        }

        if (state.OutputCounts is not null)
        {
            foreach (var (token, count) in state.OutputCounts)
            {
                adjusted[token] -= parameters.FrequencyPenalty * count + parameters.PresencePenalty;
            }
        }

        return adjusted;
    }

    private void KeepOnly(ReadOnlySpan<ulong> allowed)
    {
        for (var word = 0; word < allowed.Length; word++)
        {
            var forbidden = ~allowed[word];
            if (forbidden == ulong.MaxValue)
            {
                adjusted.AsSpan(64 * word, Math.Min(64, adjusted.Length - 64 * word)).Fill(float.NegativeInfinity);
                continue;
            }

            for (; forbidden != 0; forbidden &= forbidden - 1)
            {
                var token = 64 * word + BitOperations.TrailingZeroCount(forbidden);
                if (token < adjusted.Length)
                {
                    adjusted[token] = float.NegativeInfinity;
                }
            }
        }
    }

    private int Choose(ReadOnlySpan<float> logits, float max, SamplingState state, int ahead) =>
        state.Parameters.Temperature == 0 ? LogitMath.IndexOf(logits, max) : Draw(logits, max, state, ahead);

    private int Draw(ReadOnlySpan<float> logits, float max, SamplingState state, int ahead)
    {
        var parameters = state.Parameters;
        var total = LogitMath.Exponentials(logits, max, parameters.Temperature, weights);
        var random = CounterRandom.Uniform(state.Seed, (ulong)(state.NumAccepted + ahead));
        var truncatesByCount = parameters.TopK > 0 && parameters.TopK < logits.Length;
        if (!truncatesByCount && parameters.TopP == 1 && parameters.MinP == 0)
        {
            return PickAny(random * total);
        }

        var onlyMass = !truncatesByCount && parameters.MinP == 0;
        var floor = truncatesByCount ? PartialSelection.Floor(logits, parameters.TopK) : float.NegativeInfinity;
        var kept = Candidates(logits, floor, onlyMass ? LeastWeight(parameters.TopP, total) : parameters.MinP);
        if (truncatesByCount && parameters.TopK < kept.Length)
        {
            kept = KeepUpTo(kept, PartialSelection.CutoffByCount(kept, parameters.TopK, selection));
        }

        if (parameters.TopP < 1)
        {
            kept = KeepUpTo(kept, PartialSelection.CutoffByMass(kept, weights, parameters.TopP * (onlyMass ? total : Mass(kept)), selection));
        }

        return Pick(kept, random * Mass(kept));
    }

    /// <summary>A weight below which top_p alone keeps nothing: all tokens under it together have less than the share to drop. A little less than that, so that
    /// rounding, and what fixed-point masses lose, cannot matter.</summary>
    private float LeastWeight(float topP, double total) => (float)(0.99 * (1 - (double)topP) * total / vocabSize - 1e-11);

    /// <summary>Keys of the tokens that reach a logit and a weight, in the vocabulary's order; the likeliest token's weight is 1.</summary>
    private Span<ulong> Candidates(ReadOnlySpan<float> logits, float minLogit, float minWeight)
    {
        var count = 0;
        var leastLogits = new Vector<float>(minLogit);
        var leastWeights = new Vector<float>(minWeight);
        for (var start = 0; start < logits.Length; start += Vector<float>.Count)
        {
            var end = Math.Min(start + Vector<float>.Count, logits.Length);
            if (end - start == Vector<float>.Count
                && (!Vector.GreaterThanOrEqualAny(new Vector<float>(logits[start..]), leastLogits)
                    || !Vector.GreaterThanOrEqualAny(new Vector<float>(weights, start), leastWeights)))
            {
                continue;
            }

            for (var token = start; token < end; token++)
            {
                if (logits[token] >= minLogit && weights[token] >= minWeight)
                {
                    keys[count++] = PartialSelection.Key(logits[token], token);
                }
            }
        }

        return keys.AsSpan(0, count);
    }

    private static Span<ulong> KeepUpTo(Span<ulong> candidates, ulong cutoff) => candidates[..PartialSelection.KeepUpTo(candidates, cutoff)];

    private double Mass(ReadOnlySpan<ulong> candidates)
    {
        var mass = 0.0;
        foreach (var key in candidates)
        {
            mass += weights[PartialSelection.TokenId(key)];
        }

        return mass;
    }

    /// <summary>The first token of the vocabulary at which the weights so far exceed the target.</summary>
    private int PickAny(double target)
    {
        var token = 0;
        for (; token + Stretch <= weights.Length; token += Stretch)
        {
            var mass = LogitMath.Sum(weights.AsSpan(token, Stretch));
            if (mass > target)
            {
                break;
            }

            target -= mass;
        }

        // Sums are rounded, so the target may be passed a little later than the stretch's own sum promised, or not at all.
        for (; token < weights.Length && target >= weights[token]; token++)
        {
            target -= weights[token];
        }

        return token < weights.Length ? token : weights.AsSpan().LastIndexOfAnyExcept(0f);
    }

    /// <summary>As <see cref="PickAny"/>, over candidates.</summary>
    private int Pick(ReadOnlySpan<ulong> candidates, double target)
    {
        var last = 0;
        foreach (var key in candidates)
        {
            var token = PartialSelection.TokenId(key);
            if (weights[token] > 0)
            {
                last = token;
                target -= weights[token];
                if (target < 0)
                {
                    break;
                }
            }
        }

        return last;
    }
}
