using Cluster.Worker.Engine;
using Cluster.Worker.Protos.Vllm;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary><c>vllm.grpc.engine.SamplingParams</c> into the engine's terms. proto3 scalars have no "unset": their zero means the neutral
/// value. What this worker cannot do is refused by name, never passed over.</summary>
internal static class VllmSampling
{
    /// <param name="served">What unset fields have; null for the interface's own defaults.</param>
    /// <exception cref="InvalidRequestException">A field asks for something this worker or this interface cannot do.</exception>
    public static SamplingParameters Map(SamplingParams wire, int vocabSize, SamplingDefaults? served = null)
    {
        RefuseUnsupported(wire);
        return new SamplingParameters
        {
            Temperature = wire.HasTemperature ? wire.Temperature : served?.Temperature ?? 1,
            TopP = wire.TopP == 0 ? served?.TopP ?? 1 : wire.TopP,
            TopK = wire.TopK == 0 ? served?.TopK ?? 0 : WireNumber.ToInt32(wire.TopK, "top_k"),
            MinP = wire.MinP == 0 ? served?.MinP ?? 0 : wire.MinP,
            FrequencyPenalty = wire.FrequencyPenalty,
            PresencePenalty = wire.PresencePenalty,
            RepetitionPenalty = wire.RepetitionPenalty == 0 ? served?.RepetitionPenalty ?? 1 : wire.RepetitionPenalty,
            MaxTokens = (served ?? SamplingDefaults.None).MostTokens(
                wire.HasMaxTokens ? WireNumber.ToInt32(wire.MaxTokens, "max_tokens") : null),
            MinTokens = WireNumber.ToInt32(wire.MinTokens, "min_tokens"),
            Stop = [.. wire.Stop],
            StopTokenIds = WireNumber.ToTokenIds(wire.StopTokenIds, vocabSize, "stop_token_ids"),
            SkipSpecialTokens = wire.SkipSpecialTokens,
            IgnoreEos = wire.IgnoreEos,
            Seed = wire.HasSeed ? wire.Seed : null,
            IncludeStopStringInOutput = wire.IncludeStopStrInOutput,
            LogitBias = WireNumber.ToLogitBias(wire.LogitBias.Select(bias => KeyValuePair.Create((long)bias.Key, bias.Value)), vocabSize),
            Constraint = MapConstraint(wire),
        };
    }

    /// <summary>Applies <c>truncate_prompt_tokens</c>.</summary>
    /// <exception cref="InvalidRequestException">The field is neither -1 nor a possible prompt length.</exception>
    public static int? Kept(SamplingParams wire, int maxModelLength) =>
        PromptTruncation.Kept(wire.HasTruncatePromptTokens ? wire.TruncatePromptTokens : null, maxModelLength);

    private static Constraint? MapConstraint(SamplingParams wire) => wire.ConstraintCase switch
    {
        SamplingParams.ConstraintOneofCase.None => null,
        SamplingParams.ConstraintOneofCase.JsonSchema => new Constraint.JsonSchema(wire.JsonSchema),
        SamplingParams.ConstraintOneofCase.Regex => new Constraint.Regex(wire.Regex),
        SamplingParams.ConstraintOneofCase.Grammar => new Constraint.Grammar(wire.Grammar),
        SamplingParams.ConstraintOneofCase.Choice => new Constraint.Choice([.. wire.Choice.Choices]),
        SamplingParams.ConstraintOneofCase.JsonObject => wire.JsonObject ? new Constraint.JsonObject() : null,
        _ => throw Unsupported(
            SamplingParams.Descriptor.FindFieldByNumber((int)wire.ConstraintCase).Name,
            "is set; this worker constrains by json_schema, regex, choice, grammar and json_object"),
    };

    private static void RefuseUnsupported(SamplingParams wire)
    {
        if (wire.N > 1)
        {
            throw Unsupported(
                "n", $"is {wire.N}; responses of this interface have no place for whose sequence they are: send a request for each");
        }

        if (wire.HasLogprobs)
        {
            throw Unsupported("logprobs", "is set; responses of this interface have no place for them, cluster.v1.TextGeneration has");
        }

        if (wire.HasPromptLogprobs)
        {
            throw Unsupported(
                "prompt_logprobs", "is set; responses of this interface have no place for them, cluster.v1.TextGeneration has");
        }

        // Only ids leave through this interface. Text is made to find stop texts in it, and then only special tokens that are kept could be
        // spaced.
        if (wire is { SpacesBetweenSpecialTokens: true, SkipSpecialTokens: false, Stop.Count: > 0 })
        {
            throw Unsupported(
                "spaces_between_special_tokens",
                "is set with stop and without skip_special_tokens; this worker puts no spaces between special tokens");
        }
    }

    private static InvalidRequestException Unsupported(string field, string reason) => new($"{field} {reason}", field);
}
