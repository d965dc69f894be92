using System.Globalization;
using System.Text;

namespace Cluster.Worker.Engine;

/// <summary>Refuses requests the engine could not carry out. Called by <see cref="LlmEngine"/> before anything is queued, so that
/// nothing behind it has to check again. Ranges are vLLM's.</summary>
/// <param name="maxModelLength">Longest sequence the engine can hold: the model's own limit, or all KV blocks if that is less.</param>
/// <param name="kvCacheTokens">Longest sequence that the KV cache holds.</param>
internal sealed class RequestValidator(
    int vocabSize, int maxModelLength, int kvCacheTokens, int maxLogprobs, SchedulingPolicy policy = SchedulingPolicy.Fcfs)
{
    /// <summary>Bounds the state a request's stop texts can take; far above what any API asks for.</summary>
    public const int MaxStopStrings = 64;

    /// <summary>Longest stop text in characters.</summary>
    public const int MaxStopStringLength = 1024;

    /// <summary>Most tokens that end an output; models have a handful.</summary>
    public const int MaxStopTokenIds = 1024;

    /// <summary>Each is looked at before every token.</summary>
    public const int MaxBadWords = 1024;

    /// <summary>Longest of them in characters.</summary>
    public const int MaxBadWordLength = 256;

    /// <summary>Longest salt of the prefix cache in characters.</summary>
    public const int MaxCacheSaltLength = 1024;

    /// <summary>Most sequences of one request.</summary>
    public const int MaxSequences = 128;

    /// <summary>Largest exponent of a length: scores of the longest outputs stay numbers.</summary>
    public const int MaxLengthPenalty = 10;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Most tokens of a prompt (<c>--max-input-tokens</c>); null for no limit of its own.</summary>
    public int? MaxPromptTokens { get; init; }

    /// <exception cref="InvalidRequestException">Names parameter, value and range.</exception>
    public void Validate(GenerationRequest request)
    {
        if (request.RequestId.Length == 0)
        {
            throw new InvalidRequestException("request_id must not be empty", "request_id");
        }

        Require(
            request.Priority == 0 || policy == SchedulingPolicy.Priority, "priority", request.Priority,
            "0, as this server takes requests in the order they come; --scheduling-policy priority lets them have others");
        Require(
            request.CacheSalt is null or { Length: > 0 and <= MaxCacheSaltLength }, "cache_salt",
            $"a text of {request.CacheSalt?.Length} characters", $"1 to {MaxCacheSaltLength} characters long");
        ValidatePrompt(request.PromptTokenIds);
        ValidateSampling(request.Sampling);
        ValidateFilter(request.Sampling);
        ValidateStopping(request.Sampling);
        if (request.Resumption is { } given)
        {
            ValidateResumption(request, given);
        }
    }

    private void ValidatePrompt(IReadOnlyList<int> prompt)
    {
        if (prompt.Count == 0)
        {
            throw new InvalidRequestException("prompt has no tokens; at least one is needed", "prompt");
        }

        if (prompt.Count >= maxModelLength)
        {
            var limit = maxModelLength < kvCacheTokens
                ? $"the model's length is {maxModelLength} tokens, prompt and output together"
                : $"the KV cache holds {kvCacheTokens} tokens, prompt and output together";
            throw new InvalidRequestException(
                $"prompt has {prompt.Count} tokens, but {limit}; shorten it to at most {maxModelLength - 1}", "prompt");
        }

        if (prompt.Count > MaxPromptTokens)
        {
            throw new InvalidRequestException(
                $"prompt has {prompt.Count} tokens; this server takes at most {MaxPromptTokens} (--max-input-tokens)", "prompt");
        }

        for (var i = 0; i < prompt.Count; i++)
        {
            if ((uint)prompt[i] >= (uint)vocabSize)
            {
                throw new InvalidRequestException(
                    $"prompt token {prompt[i]} at index {i} is outside the vocabulary [0, {vocabSize})", "prompt");
            }
        }
    }

    private void ValidateSampling(SamplingParameters sampling)
    {
        Require(sampling.N is >= 1 and <= MaxSequences, "n", sampling.N, $"in [1, {MaxSequences}]");
        Require(
            sampling.BestOf is not { } best || (best >= sampling.N && best <= MaxSequences), "best_of", sampling.BestOf,
            $"at least n ({sampling.N}) and at most {MaxSequences}");

        // Written so that NaN, which fails every comparison, is refused.
        Require(sampling.Temperature is >= 0 and < float.PositiveInfinity, "temperature", sampling.Temperature, "a number of at least 0");
        Require(
            sampling.Beams is null || sampling.Temperature == 0, "temperature", sampling.Temperature,
            "0 with beam search, which draws nothing");
        Require(
            sampling.Beams is null || sampling is { TopP: 1, TopK: 0 or -1, MinP: 0 }, "use_beam_search", "true",
            "used without top_p, top_k and min_p");
        Require(
            sampling.Beams is not { } beams || Math.Abs(beams.LengthPenalty) <= MaxLengthPenalty, "length_penalty",
            sampling.Beams?.LengthPenalty, $"in [-{MaxLengthPenalty}, {MaxLengthPenalty}]");
        Require(sampling.TopP is > 0 and <= 1, "top_p", sampling.TopP, "in (0, 1]");
        Require(sampling.TopK >= -1, "top_k", sampling.TopK, "at least 1, or 0 or -1 to keep all tokens");
        Require(sampling.MinP is >= 0 and <= 1, "min_p", sampling.MinP, "in [0, 1]");
        Require(
            sampling.RepetitionPenalty is > 0 and < float.PositiveInfinity, "repetition_penalty", sampling.RepetitionPenalty,
            "a number above 0");
        Require(sampling.PresencePenalty is >= -2 and <= 2, "presence_penalty", sampling.PresencePenalty, "in [-2, 2]");
        Require(sampling.FrequencyPenalty is >= -2 and <= 2, "frequency_penalty", sampling.FrequencyPenalty, "in [-2, 2]");
        Require(sampling.Logprobs is not { } n || (n >= 0 && n <= maxLogprobs), "logprobs", sampling.Logprobs, $"in [0, {maxLogprobs}]");
        Require(
            sampling.PromptLogprobs is not { } p || (p >= 0 && p <= maxLogprobs), "prompt_logprobs", sampling.PromptLogprobs,
            $"in [0, {maxLogprobs}]");
        foreach (var (token, bias) in sampling.LogitBias ?? new Dictionary<int, float>())
        {
            Require((uint)token < (uint)vocabSize, "logit_bias", token, $"a token id in [0, {vocabSize})");
            Require(float.IsFinite(bias), "logit_bias", bias, $"a finite number (token {token})");
        }
    }

    private void ValidateFilter(SamplingParameters sampling)
    {
        Require(
            sampling.BadWords.Count <= MaxBadWords, "bad_words", $"a list of {sampling.BadWords.Count}", $"at most {MaxBadWords} texts");
        foreach (var word in sampling.BadWords)
        {
            Require(
                word.Length <= MaxBadWordLength && !string.IsNullOrWhiteSpace(word), "bad_words", $"a text of {word.Length} characters",
                $"1 to {MaxBadWordLength} characters long, and not of spaces alone");
            Require(IsUnicode(word), "bad_words", "a text with half a surrogate pair", "valid Unicode");
        }

        if (sampling.AllowedTokenIds is { } allowed)
        {
            Require(
                allowed.Count > 0 && allowed.Count <= vocabSize, "allowed_token_ids", $"a list of {allowed.Count}",
                $"1 to {vocabSize} token ids");
            foreach (var token in allowed)
            {
                Require((uint)token < (uint)vocabSize, "allowed_token_ids", token, $"a token id in [0, {vocabSize})");
            }
        }
    }

    private void ValidateStopping(SamplingParameters sampling)
    {
        Require(
            sampling.MaxTokens is null or >= 1 || sampling is { MaxTokens: 0, PromptLogprobs: not null, Beams: null },
            "max_tokens",
            sampling.MaxTokens,
            "at least 1, or 0 to compute prompt_logprobs only");
        Require(sampling.MinTokens >= 0, "min_tokens", sampling.MinTokens, "at least 0");
        Require(
            sampling.MaxTokens is not { } max || sampling.MinTokens <= max, "min_tokens", sampling.MinTokens,
            $"at most max_tokens ({sampling.MaxTokens})");
        Require(sampling.Stop.Count <= MaxStopStrings, "stop", sampling.Stop.Count, $"at most {MaxStopStrings} texts");
        foreach (var stop in sampling.Stop)
        {
            Require(
                stop.Length is > 0 and <= MaxStopStringLength, "stop", $"a text of {stop.Length} characters",
                $"1 to {MaxStopStringLength} characters long");
            Require(IsUnicode(stop), "stop", "a text with half a surrogate pair", "valid Unicode");
        }

        Require(
            sampling.Constraint is null || !sampling.IgnoreEos, "ignore_eos", "true",
            "false with structured output, which the end-of-sequence token ends");
        Require(
            sampling.StopTokenIds.Count <= MaxStopTokenIds, "stop_token_ids", sampling.StopTokenIds.Count,
            $"at most {MaxStopTokenIds} token ids");
        foreach (var token in sampling.StopTokenIds)
        {
            Require((uint)token < (uint)vocabSize, "stop_token_ids", token, $"a token id in [0, {vocabSize})");
        }
    }

    /// <summary>What this engine has to compute anew is not given to it.</summary>
    private void ValidateResumption(GenerationRequest request, Resumption given)
    {
        var (sampling, sequences) = (request.Sampling, given.Tokens);
        Require(
            given.IsEmpty || (sampling.Beams is null && sampling.NumSequences == sampling.N), "tokens", "given for beams or best_of",
            "empty where outputs are chosen at the end");
        Require(
            sequences.Count <= sampling.NumSequences, "tokens", $"given for {sequences.Count} outputs",
            $"for at most {sampling.NumSequences}");
        var most = Math.Min(sampling.MaxTokens ?? int.MaxValue, maxModelLength - request.PromptTokenIds.Count);
        foreach (var tokens in sequences)
        {
            Require(tokens.Count <= most, "tokens", $"a list of {tokens.Count}", $"at most {most} token ids");
            foreach (var token in tokens)
            {
                Require((uint)token < (uint)vocabSize, "tokens", token, $"a token id in [0, {vocabSize})");
            }
        }
    }

    private static bool IsUnicode(string text)
    {
        try
        {
            StrictUtf8.GetByteCount(text);
            return true;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }

    private static void Require<T>(bool holds, string parameter, T value, string range)
    {
        if (!holds)
        {
            throw new InvalidRequestException(
                string.Create(CultureInfo.InvariantCulture, $"{parameter} is {value}; it must be {range}"), parameter);
        }
    }
}
