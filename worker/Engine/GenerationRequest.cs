namespace Cluster.Worker.Engine;

/// <summary>One request as the engine takes it: tokens in, <see cref="TokenOutput"/>s out.</summary>
/// <param name="RequestId">Unique among running requests; what <see cref="IEngine.Abort"/> names.</param>
/// <param name="PromptTokenIds">At least one token.</param>
internal sealed record GenerationRequest(string RequestId, IReadOnlyList<int> PromptTokenIds, SamplingParameters Sampling)
{
    /// <summary>Lower comes earlier; other than 0 only with <see cref="SchedulingPolicy.Priority"/>.</summary>
    public int Priority { get; init; }

    /// <summary>Shares cached prefixes only with requests of the same salt; null shares them with all that have none.</summary>
    public string? CacheSalt { get; init; }

    /// <summary>Whether outputs say how much of their text each token brought (<see cref="TokenOutput.TextLengths"/>), so that they can be
    /// taken one token at a time.</summary>
    public bool TellsTextLengths { get; init; }

    /// <summary>What was generated elsewhere; null for nothing. Outputs begin with it all the same. Not for beams, and not where the best
    /// of several are chosen.</summary>
    public Resumption? Resumption { get; init; }

    /// <summary>What outputs say of the prefix cache where the caller has been told already; null for what this engine found.</summary>
    public int? CachedTokens { get; init; }
}

/// <summary>Why a request ended; spelled <c>stop</c>, <c>length</c>, <c>abort</c> on the wire.</summary>
internal enum FinishReason
{
    Stop,
    Length,
    Abort,
}

/// <summary>A token with its natural-log probability.</summary>
internal readonly record struct TokenLogprob(int TokenId, float Logprob);

/// <summary>Log-probabilities at one output position.</summary>
/// <param name="Sampled">The token that was chosen.</param>
/// <param name="Top">The likeliest tokens, best first.</param>
internal sealed record PositionLogprobs(TokenLogprob Sampled, IReadOnlyList<TokenLogprob> Top);

/// <summary>Log-probabilities of a prompt's token, given those before it.</summary>
/// <param name="Logprobs">The token itself, and the likeliest in its place.</param>
/// <param name="Rank">1 when no token was likelier.</param>
internal sealed record PromptPosition(PositionLogprobs Logprobs, int Rank);

/// <summary>What a sequence of a request produced since its last output. The last one of each sequence has a
/// <see cref="FinishReason"/>.</summary>
internal sealed record TokenOutput
{
    /// <summary>Which of the request's sequences this belongs to, 0 to <see cref="SamplingParameters.N"/> - 1.</summary>
    public int Index { get; init; }

    /// <summary>New tokens, in order; may be empty in the last output.</summary>
    public required IReadOnlyList<int> TokenIds { get; init; }

    /// <summary>New text. Never half a character, never part of a stop text; may be empty while a character or a possible stop text is
    /// incomplete.</summary>
    public required string Text { get; init; }

    /// <summary>Characters of <see cref="Text"/> that each of <see cref="TokenIds"/> brought, when asked for.</summary>
    public IReadOnlyList<int>? TextLengths { get; init; }

    /// <summary>One for each of <see cref="TokenIds"/> when log-probabilities were asked for.</summary>
    public IReadOnlyList<PositionLogprobs>? Logprobs { get; init; }

    /// <summary>In the first output of each sequence, when asked for: one for each prompt token; null for the first, which nothing
    /// precedes.</summary>
    public IReadOnlyList<PromptPosition?>? PromptLogprobs { get; init; }

    public FinishReason? FinishReason { get; init; }

    /// <summary>The stop text or the stop token id that ended the output; null for end-of-sequence.</summary>
    public string? StopReason { get; init; }

    /// <summary>The stop token id, where one ended the output.</summary>
    public int? StopTokenId { get; init; }

    public required int PromptTokens { get; init; }

    /// <summary>Tokens generated so far.</summary>
    public required int CompletionTokens { get; init; }

    /// <summary>Prompt tokens whose keys and values were found in the prefix cache.</summary>
    public int CachedTokens { get; init; }

    /// <summary>This output as one for each of its tokens: what it would have been had every token been read by itself. Where the lengths
    /// of texts are not known, this output.</summary>
    public IEnumerable<TokenOutput> OneByOne()
    {
        if (TokenIds.Count <= 1 || TextLengths is null)
        {
            yield return this;
            yield break;
        }

        var start = 0;
        for (var i = 0; i < TokenIds.Count; i++)
        {
            var isLast = i == TokenIds.Count - 1;
            var end = isLast ? Text.Length : start + TextLengths[i];
            yield return this with
            {
                TokenIds = [TokenIds[i]],
                Text = Text[start..end],
                TextLengths = [end - start],
                Logprobs = Logprobs is null ? null : [Logprobs[i]],
                PromptLogprobs = i == 0 ? PromptLogprobs : null,
                FinishReason = isLast ? FinishReason : null,
                StopReason = isLast ? StopReason : null,
                StopTokenId = isLast ? StopTokenId : null,
                CompletionTokens = CompletionTokens - TokenIds.Count + i + 1,
            };
            start = end;
        }
    }
}

/// <summary>A request the engine cannot accept; the message says which value is wrong and what would be right. HTTP 400, gRPC
/// INVALID_ARGUMENT.</summary>
internal sealed class InvalidRequestException(string message, string? parameter = null) : Exception(message)
{
    /// <summary>The offending parameter by its API name, when there is one.</summary>
    public string? Parameter { get; } = parameter;
}

/// <summary>The engine is draining or has stopped. HTTP 503, gRPC UNAVAILABLE.</summary>
internal sealed class EngineUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
