using System.Text.Json.Serialization;
using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving.Http;

/// <summary>Log-probabilities as <c>/v1/completions</c> spells them.</summary>
internal sealed record CompletionLogprobs(
    IReadOnlyList<string> Tokens,
    IReadOnlyList<float?> TokenLogprobs,
    IReadOnlyList<Dictionary<string, float>?> TopLogprobs,
    IReadOnlyList<int> TextOffset)
{
    /// <param name="positions">A token whose log-probabilities are null stands by itself: nothing precedes it.</param>
    /// <param name="numTop">Most of the likeliest tokens to list.</param>
    /// <param name="offset">Characters of the choice's text before these tokens.</param>
    public static CompletionLogprobs Of(
        ITokenizer tokenizer, IReadOnlyList<(int TokenId, PositionLogprobs? Logprobs)> positions, int numTop, int offset)
    {
        var tokens = new string[positions.Count];
        var logprobs = new float?[positions.Count];
        var tops = new Dictionary<string, float>?[positions.Count];
        var offsets = new int[positions.Count];
        for (var i = 0; i < positions.Count; i++)
        {
            tokens[i] = i == 0 && positions[i].Logprobs is null
                ? tokenizer.Decode([positions[i].TokenId], skipSpecialTokens: false)
                : TokenText.Of(tokenizer, positions[i].TokenId);
            offsets[i] = offset;
            offset += tokens[i].Length;
            if (positions[i].Logprobs is not var (own, top))
            {
                continue;
            }

            logprobs[i] = own.Logprob;
            var named = tops[i] = [];
            foreach (var candidate in top.Take(numTop))
            {
                // Two tokens may share a text (halves of a character); the likelier one stays.
                named.TryAdd(TokenText.Of(tokenizer, candidate.TokenId), candidate.Logprob);
            }

            // The token itself is always listed, as one more than asked for when it is not among the likeliest.
            named.TryAdd(tokens[i], own.Logprob);
        }

        return new CompletionLogprobs(tokens, logprobs, tops, offsets);
    }
}

/// <summary>A token of a prompt as vLLM's <c>prompt_logprobs</c> spells it.</summary>
/// <param name="Rank">1 for the likeliest of the vocabulary.</param>
internal sealed record PromptLogprob(float Logprob, int Rank, string DecodedToken)
{
    /// <returns>For each prompt token: by id, the token itself and the likeliest; null for the first, which nothing precedes.</returns>
    public static IReadOnlyList<Dictionary<int, PromptLogprob>?> Of(
        ITokenizer tokenizer, IReadOnlyList<PromptPosition?> positions, int numTop) =>
        [.. positions.Select(position => position is null ? null : Of(tokenizer, position, numTop))];

    private static Dictionary<int, PromptLogprob> Of(ITokenizer tokenizer, PromptPosition position, int numTop)
    {
        var (own, top) = position.Logprobs;
        var named = new Dictionary<int, PromptLogprob> { [own.TokenId] = One(own, position.Rank) };
        for (var i = 0; i < Math.Min(numTop, top.Count); i++)
        {
            named.TryAdd(top[i].TokenId, One(top[i], i + 1));
        }

        return named;

        PromptLogprob One(TokenLogprob token, int rank) => new(token.Logprob, rank, TokenText.Of(tokenizer, token.TokenId));
    }
}

/// <summary>Log-probabilities as <c>/v1/chat/completions</c> spells them.</summary>
internal sealed record ChatLogprobs(IReadOnlyList<ChatTokenLogprob> Content)
{
    /// <summary>Those of a refusal, which OpenAI's models write apart; its clients expect the member.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public IReadOnlyList<ChatTokenLogprob>? Refusal => null;

    public static ChatLogprobs Of(ITokenizer tokenizer, IReadOnlyList<PositionLogprobs> positions) =>
        new([
            .. positions.Select(position => One(tokenizer, position.Sampled, [.. position.Top.Select(top => One(tokenizer, top, null))]))]);

    private static ChatTokenLogprob One(ITokenizer tokenizer, TokenLogprob token, IReadOnlyList<ChatTokenLogprob>? top)
    {
        var text = TokenText.Of(tokenizer, token.TokenId);
        return new ChatTokenLogprob(text, token.Logprob, [.. TokenText.Bytes(tokenizer, token.TokenId).Select(octet => (int)octet)], top);
    }
}

/// <param name="Bytes">Of UTF-8; those of several tokens in a row make a character whose parts have no text of their own.</param>
internal sealed record ChatTokenLogprob(
    string Token,
    float Logprob,
    IReadOnlyList<int> Bytes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ChatTokenLogprob>? TopLogprobs);
