using System.Globalization;
using System.Text.Json;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

/// <summary>Reads the sampling fields that all generating endpoints share, with OpenAI's and vLLM's names.</summary>
internal static class SamplingFields
{
    /// <param name="served">What the request has where it sets nothing.</param>
    /// <param name="maxTokens">Already read by the endpoint, since its name and default differ.</param>
    /// <param name="logprobs">Likewise.</param>
    /// <param name="promptLogprobs">By endpoints whose responses have a place for them.</param>
    public static SamplingParameters Read(
        RequestFields fields, SamplingDefaults served, int? maxTokens, int? logprobs, int? promptLogprobs = null)
    {
        fields.RefuseUnavailable();
        var beams = BeamFields.Read(fields);
        var defaults = new SamplingParameters();

        // A search draws nothing, so how to draw does not concern it.
        var drawn = beams is null ? served : SamplingDefaults.None;
        return new SamplingParameters
        {
            N = fields.Integer("n") ?? defaults.N,
            BestOf = fields.Integer("best_of"),
            Temperature = fields.Number("temperature") ?? drawn.Temperature ?? (beams is null ? defaults.Temperature : 0),
            TopP = fields.Number("top_p") ?? drawn.TopP ?? defaults.TopP,
            TopK = fields.Integer("top_k") ?? drawn.TopK ?? defaults.TopK,
            MinP = fields.Number("min_p") ?? drawn.MinP ?? defaults.MinP,
            RepetitionPenalty = fields.Number("repetition_penalty") ?? served.RepetitionPenalty ?? defaults.RepetitionPenalty,
            PresencePenalty = fields.Number("presence_penalty") ?? defaults.PresencePenalty,
            FrequencyPenalty = fields.Number("frequency_penalty") ?? defaults.FrequencyPenalty,
            LogitBias = LogitBias(fields),
            Seed = fields.Long("seed"),
            MaxTokens = maxTokens,
            MinTokens = fields.Integer("min_tokens") ?? defaults.MinTokens,
            Stop = fields.Strings("stop"),
            StopTokenIds = fields.Integers("stop_token_ids"),
            IgnoreEos = fields.Boolean("ignore_eos") ?? defaults.IgnoreEos,
            IncludeStopStringInOutput = fields.Boolean("include_stop_str_in_output") ?? defaults.IncludeStopStringInOutput,
            SkipSpecialTokens = fields.Boolean("skip_special_tokens") ?? defaults.SkipSpecialTokens,
            Logprobs = logprobs,
            PromptLogprobs = promptLogprobs,
            Beams = beams,
            BadWords = BadWords(fields),
            AllowedTokenIds = fields.Element("allowed_token_ids") is null ? null : fields.Integers("allowed_token_ids"),
            Constraint = ConstraintFields.Read(fields),
        };
    }

    private static IReadOnlyList<string> BadWords(RequestFields fields)
    {
        const string Name = "bad_words";
        return fields.Element(Name) is null or { ValueKind: JsonValueKind.Array }
            ? fields.Strings(Name)
            : throw RequestFields.WrongType(Name, fields.Element(Name)!.Value, "an array of strings");
    }

    private static Dictionary<int, float>? LogitBias(RequestFields fields)
    {
        const string Name = "logit_bias";
        if (fields.Element(Name) is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            throw RequestFields.WrongType(Name, value, "an object of token ids and numbers");
        }

        var bias = new Dictionary<int, float>();
        foreach (var property in value.EnumerateObject())
        {
            if (!int.TryParse(property.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                || property.Value.ValueKind != JsonValueKind.Number
                || !property.Value.TryGetSingle(out var amount))
            {
                throw RequestFields.WrongType(Name, value, "an object of token ids and numbers");
            }

            bias[id] = amount;
        }

        return bias;
    }
}
