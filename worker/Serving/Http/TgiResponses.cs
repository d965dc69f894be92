using System.Text.Json.Serialization;

namespace Cluster.Worker.Serving.Http;

internal sealed record TgiError(string Error, string ErrorType);

/// <param name="Logprob">Natural logarithm.</param>
internal sealed record TgiToken(int Id, string Text, float Logprob, bool Special);

internal sealed record TgiResponse(string GeneratedText, TgiDetails? Details);

/// <param name="Prefill">Always empty: <c>decoder_input_details</c> is refused.</param>
/// <param name="TopTokens">One list for each of <paramref name="Tokens"/>; null unless asked for.</param>
/// <param name="BestOfSequences">The outputs that were not chosen; null with <c>best_of</c> 1.</param>
internal sealed record TgiDetails(
    string FinishReason,
    int GeneratedTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] long? Seed,
    IReadOnlyList<TgiToken> Prefill,
    IReadOnlyList<TgiToken> Tokens,
    IReadOnlyList<IReadOnlyList<TgiToken>>? TopTokens,
    IReadOnlyList<TgiBestOfSequence>? BestOfSequences);

internal sealed record TgiBestOfSequence(
    string GeneratedText,
    string FinishReason,
    int GeneratedTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] long? Seed,
    IReadOnlyList<TgiToken> Prefill,
    IReadOnlyList<TgiToken> Tokens,
    IReadOnlyList<IReadOnlyList<TgiToken>>? TopTokens);

/// <summary>One event of a stream: a token; the last has the whole text.</summary>
/// <param name="Index">Place of the token in the output, from 1.</param>
internal sealed record TgiStreamEvent(
    int Index,
    TgiToken Token,
    IReadOnlyList<TgiToken>? TopTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? GeneratedText,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] TgiStreamDetails? Details);

internal sealed record TgiStreamDetails(
    string FinishReason, int GeneratedTokens, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] long? Seed, int InputLength);
