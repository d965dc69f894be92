using System.Diagnostics;
using System.Numerics;
using System.Runtime.Intrinsics;
using Cluster.Worker.Draws;
using Cluster.Worker.Engine.Beams;

namespace Cluster.Worker.Engine;

/// <summary>Chooses the next token of a sequence from its logits. Called by <see cref="LlmEngine"/> on its thread. The choice is a function
/// of logits and <see cref="SamplingState"/> alone; the members here are scratch space, so one sampler serves all sequences, one after the
/// other.</summary>
/// <remarks>
/// The order is vLLM's:
/// <list type="number">
/// <item>tokens that a structured output or the request's own lists do not allow are masked, and stop tokens below the minimum length;
/// then logit_bias is added;</item>
/// <item>repetition penalty over prompt and output, then frequency and presence penalty over the output;</item>
/// <item>temperature 0 takes the largest logit; of equal ones, the lowest token id;</item>
/// <item>otherwise exp(logit / temperature) are the weights; min_p, top_k and top_p, in this order, each drop the unlikely tail of what is
/// left; of equal logits the higher token id drops first;</item>
/// <item>one random number, a function of seed and output position, picks among the rest.</item>
/// </list>
/// </remarks>
internal sealed class Sampler(int vocabSize)
{
    /// <summary>Passes of top_p; each leaves a quarter of the range between its bounds.</summary>
    private const int MaxPasses = 8;

    /// <summary>Tokens that are put in order as fast as another pass would take.</summary>
    private const int FewTokens = 2048;

    private readonly float[] _adjusted = new float[vocabSize];
    private readonly TokenWeights _weights = new(vocabSize);
    private readonly ulong[] _keys = new ulong[vocabSize];
    private readonly ulong[] _selection = new ulong[vocabSize];

    /// <param name="logits"><c>[vocabSize]</c></param>
    /// <returns>The token id.</returns>
    /// <exception cref="GenerationFailedException">The logits hold NaN or +∞, or leave no token to choose.</exception>
    public int Sample(ReadOnlySpan<float> logits, SamplingState state)
    {
        if (state.AdjustsLogits)
        {
            logits = Adjust(logits, state);
        }

        return Choose(logits, FiniteMax(logits, "output", state.NumAccepted), state, 0);
    }

    /// <summary>The token that a device chose in place of <see cref="Sample"/>.</summary>
    /// <exception cref="GenerationFailedException">As for <see cref="Sample"/>.</exception>
    public static int Accept(DrawResult drawn, SamplingState state)
    {
        RequireFinite(drawn.Max, "output", state.NumAccepted);
        return drawn.Token;
    }

    /// <summary>The likeliest next tokens, by the logits as <see cref="Sample"/> adjusts them: what a beam may go on with.</summary>
    /// <param name="logits"><c>[vocabSize]</c></param>
    /// <param name="count">How many; fewer where fewer are allowed.</param>
    /// <param name="numTop">Log-probabilities to report with each; null for none.</param>
    /// <returns>Best first; of equal ones, the lower token id first.</returns>
    /// <exception cref="GenerationFailedException">As for <see cref="Sample"/>.</exception>
    public Continuation[] Continuations(ReadOnlySpan<float> logits, SamplingState state, int count, int? numTop)
    {
        var wanted = state.AdjustsLogits ? Adjust(logits, state) : logits;
        var max = FiniteMax(wanted, "output", state.NumAccepted);
        var logSum = LogSum(wanted, max);
        var likeliest = Likeliest(wanted, count);
        var continuations = new Continuation[likeliest.Length];
        for (var i = 0; i < continuations.Length; i++)
        {
            var token = PartialSelection.TokenId(likeliest[i]);
            continuations[i] = new Continuation(token, (double)wanted[token] - max - logSum, null);
        }

        // A masked token is no continuation; the best first, those are at the end.
        var possible = continuations.AsSpan(0, continuations.Count(one => !double.IsNegativeInfinity(one.Logprob)));
        if (numTop is { } reported)
        {
            var plain = Logprobs(logits, possible[0].TokenId, reported);
            var plainMax = LogitMath.Max(logits);
            var plainLogSum = LogSum(logits, plainMax);
            foreach (ref var continuation in possible)
            {
                continuation = continuation with
                {
                    Logprobs = plain with { Sampled = Logprob(logits, continuation.TokenId, plainMax, plainLogSum) }
                };
            }
        }

        return possible.ToArray();
    }

    /// <summary>How likely a token of the prompt was.</summary>
    /// <param name="logits"><c>[vocabSize]</c>, of the token before.</param>
    /// <param name="position">The token's place in the prompt.</param>
    /// <exception cref="GenerationFailedException">The logits hold NaN or +∞.</exception>
    public PromptPosition PromptLogprobs(ReadOnlySpan<float> logits, int token, int numTop, int position)
    {
        FiniteMax(logits, "prompt", position);
        var own = PartialSelection.Key(logits[token], token);
        var rank = 1;
        for (var other = 0; other < logits.Length; other++)
        {
            rank += PartialSelection.Key(logits[other], other) < own ? 1 : 0;
        }

        return new PromptPosition(Logprobs(logits, token, numTop), rank);
    }

    /// <summary>What <see cref="Sample"/> would choose some tokens later if these were its logits: the same rule with the random number of
    /// that position. What depends on the tokens in between (penalties, masks) is left out, so it is a guess.</summary>
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
        var logSum = LogSum(logits, max);
        var likeliest = Likeliest(logits, numTop);
        var top = new TokenLogprob[likeliest.Length];
        for (var i = 0; i < top.Length; i++)
        {
            top[i] = Logprob(logits, PartialSelection.TokenId(likeliest[i]), max, logSum);
        }

        return new PositionLogprobs(Logprob(logits, sampled, max, logSum), top);
    }

    private static float FiniteMax(ReadOnlySpan<float> logits, string where, int position) =>
        RequireFinite(LogitMath.Max(logits), where, position);

    private static float RequireFinite(float max, string where, int position) =>
        float.IsFinite(max)
            ? max
            : throw new GenerationFailedException(float.IsNegativeInfinity(max)
                ? "the request forbids every token: bad_words, allowed_token_ids, min_tokens and structured output together leave none to "
                    + $"choose at {where} position {position}"
                : $"the model computed a logit of {(float.IsNaN(max) ? "NaN" : "+infinity")} at {where} position {position}")
            {
                IsRequestsFault = float.IsNegativeInfinity(max),
            };

    private double LogSum(ReadOnlySpan<float> logits, float max) => Math.Log(_weights.SumOf(logits, max));

    /// <summary>Keys of the largest logits, in order; valid until the next use of the scratch space.</summary>
    private ReadOnlySpan<ulong> Likeliest(ReadOnlySpan<float> logits, int count)
    {
        count = Math.Min(count, logits.Length);
        if (count == 0)
        {
            return [];
        }

        var candidates = Candidates(logits, PartialSelection.Floor(logits, count), float.PositiveInfinity);
        PartialSelection.SelectCount(candidates, count);
        candidates[..count].Sort();
        return candidates[..count];
    }

    private static TokenLogprob Logprob(ReadOnlySpan<float> logits, int token, float max, double logSum) =>
        new(token, (float)((double)logits[token] - max - logSum));

    private ReadOnlySpan<float> Adjust(ReadOnlySpan<float> logits, SamplingState state)
    {
        var parameters = state.Parameters;
        logits.CopyTo(_adjusted);
        if (state.Mask is { IsEmpty: false } mask)
        {
            KeepOnly(mask);
        }

        foreach (var token in state.ForbiddenTokens)
        {
            _adjusted[token] = float.NegativeInfinity;
        }

        if (state.MasksStopTokens)
        {
            foreach (var token in state.StopTokens)
            {
                _adjusted[token] = float.NegativeInfinity;
            }
        }

        if (parameters.LogitBias is not null)
        {
            foreach (var (token, bias) in parameters.LogitBias)
            {
                _adjusted[token] += Math.Clamp(bias, -100, 100);
            }
        }

        if (state.SeenTokens is not null)
        {
            foreach (var token in state.SeenTokens)
            {
                ref var logit = ref _adjusted[token];
                logit = logit > 0 ? logit / parameters.RepetitionPenalty : logit * parameters.RepetitionPenalty;
            }
        }

        if (state.OutputCounts is not null)
        {
            foreach (var (token, count) in state.OutputCounts)
            {
                _adjusted[token] -= parameters.FrequencyPenalty * count + parameters.PresencePenalty;
            }
        }

        return _adjusted;
    }

    private void KeepOnly(ReadOnlySpan<ulong> allowed)
    {
        for (var word = 0; word < allowed.Length; word++)
        {
            var forbidden = ~allowed[word];
            if (forbidden == ulong.MaxValue)
            {
                _adjusted.AsSpan(64 * word, Math.Min(64, _adjusted.Length - 64 * word)).Fill(float.NegativeInfinity);
                continue;
            }

            for (; forbidden != 0; forbidden &= forbidden - 1)
            {
                var token = 64 * word + BitOperations.TrailingZeroCount(forbidden);
                if (token < _adjusted.Length)
                {
                    _adjusted[token] = float.NegativeInfinity;
                }
            }
        }
    }

    private int Choose(ReadOnlySpan<float> logits, float max, SamplingState state, int ahead) =>
        state.Parameters.Temperature == 0 ? LogitMath.IndexOf(logits, max) : Draw(logits, max, state, ahead);

    private int Draw(ReadOnlySpan<float> logits, float max, SamplingState state, int ahead)
    {
        var parameters = state.Parameters;
        _weights.Fill(logits, max, parameters.Temperature);
        if (parameters.MinP > 0)
        {
            _weights.DropBelow(logits, parameters.MinP);
        }

        var random = CounterRandom.Bits53(state.Seed, (ulong)(state.NumAccepted + ahead));
        if (parameters.TopK > 0 && parameters.TopK < logits.Length)
        {
            return DrawOfLikeliest(logits, parameters, random);
        }

        if (parameters.TopP < 1)
        {
            DropTail(logits, max, parameters);
        }

        return _weights.Pick(Place(_weights.Total, random));
    }

    private int DrawOfLikeliest(ReadOnlySpan<float> logits, SamplingParameters parameters, ulong random)
    {
        var kept = Candidates(logits, PartialSelection.Floor(logits, parameters.TopK), float.PositiveInfinity);
        if (parameters.TopK < kept.Length)
        {
            kept = KeepUpTo(kept, PartialSelection.CutoffByCount(kept, parameters.TopK, _selection));
        }

        if (parameters.TopP < 1)
        {
            var mass = TokenMass.Part(Mass(kept), TokenMass.ShareOf(parameters.TopP));
            kept = KeepUpTo(kept, PartialSelection.CutoffByMass(kept, _weights.Values, mass, _selection));
        }

        return Pick(kept, Place(Mass(kept), random));
    }

    /// <summary>Drops what top_p does. Bounds close in on the logit at which the mass is reached; only tokens between the last two are put
    /// in order.</summary>
    private void DropTail(ReadOnlySpan<float> logits, float max, SamplingParameters parameters)
    {
        var mass = TokenMass.Part(_weights.Total, TokenMass.ShareOf(parameters.TopP));
        var (low, lowMass) = (LeastLogit(max, parameters), _weights.Total);
        var (high, highMass) = (MathF.BitIncrement(max), 0UL);
        for (var pass = 0; pass < MaxPasses
            && lowMass - highMass > TokenMass.One * FewTokens * Math.Exp(((double)low - max) / parameters.Temperature); pass++)
        {
            var quarter = ((double)high - low) / 4;
            var (first, second, third) = ((float)(low + quarter), (float)(low + (2 * quarter)), (float)(low + (3 * quarter)));
            var (firstMass, secondMass, thirdMass) = _weights.MassesFrom(logits, first, second, third);
            (low, lowMass, high, highMass) =
                thirdMass >= mass ? (third, thirdMass, high, highMass)
                : secondMass >= mass ? (second, secondMass, third, thirdMass)
                : firstMass >= mass ? (first, firstMass, second, secondMass)
                : (low, lowMass, first, firstMass);
        }

        var cutoff = PartialSelection.CutoffByMass(Candidates(logits, low, high), _weights.Values, mass - highMass, _selection);
        _weights.DropBehind(logits, PartialSelection.TokenId(cutoff));
    }

    /// <summary>A logit below which top_p keeps nothing: all tokens under it together have less than the share to drop. A little less than
    /// that, so that rounding cannot matter.</summary>
    private float LeastLogit(float max, SamplingParameters parameters)
    {
        var weight = 0.99 * (1 - (double)parameters.TopP) * _weights.Total / TokenMass.One / vocabSize;
        var least = max + (parameters.Temperature * Math.Log(weight));
        return MathF.BitDecrement((float)Math.Max(float.MinValue, least));
    }

    /// <summary>Keys of the tokens with logits from one bound up to below another, in the vocabulary's order.</summary>
    private Span<ulong> Candidates(ReadOnlySpan<float> logits, float low, float high)
    {
        var count = 0;
        var lows = Vector256.Create(low);
        var highs = Vector256.Create(high);
        var token = 0;
        for (; token <= logits.Length - Vector256<float>.Count; token += Vector256<float>.Count)
        {
            var values = Vector256.Create(logits[token..]);
            var hits = (Vector256.GreaterThanOrEqual(values, lows) & Vector256.LessThan(values, highs)).ExtractMostSignificantBits();
            for (; hits != 0; hits &= hits - 1)
            {
                var hit = token + BitOperations.TrailingZeroCount(hits);
                _keys[count++] = PartialSelection.Key(logits[hit], hit);
            }
        }

        for (; token < logits.Length; token++)
        {
            if (logits[token] >= low && logits[token] < high)
            {
                _keys[count++] = PartialSelection.Key(logits[token], token);
            }
        }

        return _keys.AsSpan(0, count);
    }

    private static Span<ulong> KeepUpTo(Span<ulong> candidates, ulong cutoff) =>
        candidates[..PartialSelection.KeepUpTo(candidates, cutoff)];

    private ulong Mass(ReadOnlySpan<ulong> candidates)
    {
        var values = _weights.Values;
        var mass = 0UL;
        foreach (var key in candidates)
        {
            mass += TokenMass.Of(values[PartialSelection.TokenId(key)]);
        }

        return mass;
    }

    private static ulong Place(ulong total, ulong random) => TokenMass.Place(total, (uint)(random >> 32), (uint)random);

    /// <summary>The first of the candidates at which the masses so far exceed a place among them.</summary>
    private int Pick(ReadOnlySpan<ulong> candidates, ulong place)
    {
        var values = _weights.Values;
        foreach (var key in candidates)
        {
            var token = PartialSelection.TokenId(key);
            var mass = TokenMass.Of(values[token]);
            if (place < mass)
            {
                return token;
            }

            place -= mass;
        }

        throw new UnreachableException("a place lies within the mass of all candidates");
    }
}
