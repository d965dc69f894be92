using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary><c>cluster.v1.SamplingParams</c> into the engine's terms; ranges are the engine's to check.</summary>
internal static class TextGenerationSampling
{
    /// <exception cref="InvalidRequestException">A number does not fit, or a token id is not in the vocabulary.</exception>
    public static SamplingParameters Map(SamplingParams wire, int vocabSize) => new()
    {
        Temperature = wire.HasTemperature ? wire.Temperature : 1,
        TopP = wire.HasTopP ? wire.TopP : 1,
        TopK = WireNumber.ToInt32(wire.TopK, "top_k"),
        MinP = wire.MinP,
        RepetitionPenalty = wire.HasRepetitionPenalty ? wire.RepetitionPenalty : 1,
        PresencePenalty = wire.PresencePenalty,
        FrequencyPenalty = wire.FrequencyPenalty,
        LogitBias = WireNumber.ToLogitBias(wire.LogitBias.Select(bias => KeyValuePair.Create((long)bias.Key, bias.Value)), vocabSize),
        Seed = wire.HasSeed ? wire.Seed : null,
        MaxTokens = wire.HasMaxTokens ? WireNumber.ToInt32(wire.MaxTokens, "max_tokens") : null,
        MinTokens = WireNumber.ToInt32(wire.MinTokens, "min_tokens"),
        Stop = [.. wire.Stop],
        StopTokenIds = WireNumber.ToTokenIds(wire.StopTokenIds, vocabSize, "stop_token_ids"),
        IgnoreEos = wire.IgnoreEos,
        IncludeStopStringInOutput = wire.IncludeStopStringInOutput,
        PromptLogprobs = wire.HasPromptLogprobs ? WireNumber.ToInt32(wire.PromptLogprobs, "prompt_logprobs") : null,
        SkipSpecialTokens = !wire.HasSkipSpecialTokens || wire.SkipSpecialTokens,
        Logprobs = wire.HasLogprobs ? WireNumber.ToInt32(wire.Logprobs, "logprobs") : null,
        Constraint = wire.ConstraintCase switch
        {
            SamplingParams.ConstraintOneofCase.JsonSchema => new Constraint.JsonSchema(wire.JsonSchema),
            SamplingParams.ConstraintOneofCase.Regex => new Constraint.Regex(wire.Regex),
            SamplingParams.ConstraintOneofCase.Choice => new Constraint.Choice([.. wire.Choice.Texts]),
            SamplingParams.ConstraintOneofCase.JsonObject when wire.JsonObject => new Constraint.JsonObject(),
            _ => null,
        },
    };
}
