using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary><c>cluster.v1.SamplingParams</c> into the engine's terms; ranges are the engine's to check.</summary>
internal static class TextGenerationSampling
{
    /// <param name="served">What unset fields have; null for the interface's own defaults.</param>
    /// <exception cref="InvalidRequestException">A number does not fit, or a token id is not in the vocabulary.</exception>
    public static SamplingParameters Map(SamplingParams wire, int vocabSize, SamplingDefaults? served = null) => new()
    {
        Temperature = wire.HasTemperature ? wire.Temperature : served?.Temperature ?? 1,
        TopP = wire.HasTopP ? wire.TopP : served?.TopP ?? 1,
        TopK = wire.HasTopK ? WireNumber.ToInt32(wire.TopK, "top_k") : served?.TopK ?? 0,
        MinP = wire.HasMinP ? wire.MinP : served?.MinP ?? 0,
        RepetitionPenalty = wire.HasRepetitionPenalty ? wire.RepetitionPenalty : served?.RepetitionPenalty ?? 1,
        PresencePenalty = wire.PresencePenalty,
        FrequencyPenalty = wire.FrequencyPenalty,
        LogitBias = WireNumber.ToLogitBias(wire.LogitBias.Select(bias => KeyValuePair.Create((long)bias.Key, bias.Value)), vocabSize),
        Seed = wire.HasSeed ? wire.Seed : null,
        MaxTokens = (served ?? SamplingDefaults.None).MostTokens(
            wire.HasMaxTokens ? WireNumber.ToInt32(wire.MaxTokens, "max_tokens") : null),
        MinTokens = WireNumber.ToInt32(wire.MinTokens, "min_tokens"),
        Stop = [.. wire.Stop],
        StopTokenIds = WireNumber.ToTokenIds(wire.StopTokenIds, vocabSize, "stop_token_ids"),
        IgnoreEos = wire.IgnoreEos,
        IncludeStopStringInOutput = wire.IncludeStopStringInOutput,
        PromptLogprobs = wire.HasPromptLogprobs ? WireNumber.ToInt32(wire.PromptLogprobs, "prompt_logprobs") : null,
        SkipSpecialTokens = !wire.HasSkipSpecialTokens || wire.SkipSpecialTokens,
        Logprobs = wire.HasLogprobs ? WireNumber.ToInt32(wire.Logprobs, "logprobs") : null,
        BadWords = [.. wire.BadWords],
        AllowedTokenIds = wire.AllowedTokenIds.Count == 0
            ? null
            : WireNumber.ToTokenIds(wire.AllowedTokenIds, vocabSize, "allowed_token_ids"),
        Constraint = wire.ConstraintCase switch
        {
            SamplingParams.ConstraintOneofCase.JsonSchema => new Constraint.JsonSchema(wire.JsonSchema),
            SamplingParams.ConstraintOneofCase.Regex => new Constraint.Regex(wire.Regex),
            SamplingParams.ConstraintOneofCase.Grammar => new Constraint.Grammar(wire.Grammar),
            SamplingParams.ConstraintOneofCase.Choice => new Constraint.Choice([.. wire.Choice.Texts]),
            SamplingParams.ConstraintOneofCase.JsonObject when wire.JsonObject => new Constraint.JsonObject(),
            _ => null,
        },
    };
}
