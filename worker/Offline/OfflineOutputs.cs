using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Http;

namespace Cluster.Worker.Offline;

/// <summary>Parameters and outputs of the engine in the words of the public API. Called by <see cref="LLM"/>.</summary>
internal static class OfflineOutputs
{
    public static SamplingParameters Read(SamplingParams sampling) => new()
    {
        N = sampling.N,
        BestOf = sampling.BestOf,
        Temperature = sampling.Temperature,
        TopP = sampling.TopP,
        TopK = sampling.TopK,
        MinP = sampling.MinP,
        RepetitionPenalty = sampling.RepetitionPenalty,
        PresencePenalty = sampling.PresencePenalty,
        FrequencyPenalty = sampling.FrequencyPenalty,
        LogitBias = sampling.LogitBias,
        Seed = sampling.Seed,
        MaxTokens = sampling.MaxTokens,
        MinTokens = sampling.MinTokens,
        Stop = sampling.Stop,
        StopTokenIds = sampling.StopTokenIds,
        IgnoreEos = sampling.IgnoreEos,
        IncludeStopStringInOutput = sampling.IncludeStopStringInOutput,
        SkipSpecialTokens = sampling.SkipSpecialTokens,
        Logprobs = sampling.Logprobs,
        PromptLogprobs = sampling.PromptLogprobs,
        Beams = sampling.UseBeamSearch ? new BeamParameters(sampling.LengthPenalty) : null,
        Constraint = sampling.StructuredOutput?.Constraint,
    };

    /// <param name="whole">One for each sequence.</param>
    public static RequestOutput Of(ServedModel model, string? prompt, IReadOnlyList<int> ids, IReadOnlyList<TokenOutput> whole) =>
        new(prompt, ids, [.. whole.Select(output => Part(model, output))])
        {
            PromptLogprobs = whole.FirstOrDefault(output => output.PromptLogprobs is not null)?.PromptLogprobs?
                .Select(position => position is null ? null : Position(model, position.Logprobs)).ToArray(),
            NumCachedTokens = whole.Count == 0 ? 0 : whole[0].CachedTokens,
        };

    public static CompletionOutput Part(ServedModel model, TokenOutput output) =>
        new(output.Index, output.Text, output.TokenIds, Wire.Spell(output.FinishReason), output.StopReason)
        {
            Logprobs = output.Logprobs?.Select(position => Position(model, position)).ToArray(),
        };

    private static LogprobPosition Position(ServedModel model, PositionLogprobs position) =>
        new(One(model, position.Sampled), [.. position.Top.Select(token => One(model, token))]);

    private static Logprob One(ServedModel model, TokenLogprob token) =>
        new(token.TokenId, token.Logprob, TokenText.Of(model.Tokenizer, token.TokenId));
}
