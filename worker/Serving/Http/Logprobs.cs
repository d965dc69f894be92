using System.Text;
using System.Text.Json.Serialization;
using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving.Http;

/// <summary>Log-probabilities as <c>/v1/completions</c> spells them.</summary>
internal sealed record CompletionLogprobs(
    IReadOnlyList<string> Tokens,
    IReadOnlyList<float> TokenLogprobs,
    IReadOnlyList<Dictionary<string, float>> TopLogprobs,
    IReadOnlyList<int> TextOffset)
{
    /// <param name="offset">Characters of output text before these tokens.</param>
    public static CompletionLogprobs Of(ITokenizer tokenizer, IReadOnlyList<PositionLogprobs> positions, int offset)
    {
        var tokens = new string[positions.Count];
        var logprobs = new float[positions.Count];
        var tops = new Dictionary<string, float>[positions.Count];
        var offsets = new int[positions.Count];
        for (var i = 0; i < positions.Count; i++)
        {
            var (sampled, top) = positions[i];
            tokens[i] = TokenText.Of(tokenizer, sampled.TokenId);
            logprobs[i] = sampled.Logprob;
            tops[i] = [];
            foreach (var candidate in top)
            {
                // Two tokens may share a text (halves of a character); the likelier one stays.
                tops[i].TryAdd(TokenText.Of(tokenizer, candidate.TokenId), candidate.Logprob);
            }

            // The sampled token is always listed, as one more than asked for when it is not among the likeliest.
            tops[i].TryAdd(tokens[i], sampled.Logprob);
            offsets[i] = offset;
            offset += tokens[i].Length;
        }

        return new CompletionLogprobs(tokens, logprobs, tops, offsets);
    }
}

/// <summary>Log-probabilities as <c>/v1/chat/completions</c> spells them.</summary>
internal sealed record ChatLogprobs(IReadOnlyList<ChatTokenLogprob> Content)
{
    public static ChatLogprobs Of(ITokenizer tokenizer, IReadOnlyList<PositionLogprobs> positions) =>
        new([.. positions.Select(position => One(tokenizer, position.Sampled, [.. position.Top.Select(top => One(tokenizer, top, null))]))]);

    private static ChatTokenLogprob One(ITokenizer tokenizer, TokenLogprob token, IReadOnlyList<ChatTokenLogprob>? top)
    {
        var text = TokenText.Of(tokenizer, token.TokenId);
        return new ChatTokenLogprob(text, token.Logprob, [.. Encoding.UTF8.GetBytes(text).Select(value => (int)value)], top);
    }
}

internal sealed record ChatTokenLogprob(
    string Token,
    float Logprob,
    IReadOnlyList<int> Bytes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ChatTokenLogprob>? TopLogprobs);

internal static class TokenText
{
    public static string Of(ITokenizer tokenizer, int id) => tokenizer.Decode([id], skipSpecialTokens: false);
}
