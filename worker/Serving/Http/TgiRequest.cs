using System.Text.Json;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

/// <summary>A request in the terms of TGI (Hugging Face text-generation-inference): <c>{"inputs": …, "parameters": {…}}</c>. Names,
/// defaults and ranges are its own. Read by <see cref="TgiEndpoint"/>.</summary>
/// <param name="Inputs">The prompt as text, for <see cref="ReturnFullText"/>.</param>
/// <param name="Sampling">Asks for as many outputs as <c>best_of</c> says: all of them are told of.</param>
/// <param name="Seed">What the answer reports; null when the output is greedy.</param>
/// <param name="NumTopTokens">Likeliest tokens to report at each position.</param>
internal sealed record TgiRequest(
    string Inputs, IReadOnlyList<int> Prompt, SamplingParameters Sampling, bool Details, bool ReturnFullText, long? Seed, int NumTopTokens)
{
    private const int DefaultMaxNewTokens = 100;

    /// <exception cref="ApiException">A parameter is out of TGI's range, unknown, or one this server cannot honour.</exception>
    /// <param name="givenSeed">In place of a drawn one; null draws.</param>
    public static TgiRequest Read(RequestFields fields, ServedModel model, bool stream, long? givenSeed)
    {
        var parameters = fields.Nested("parameters");
        var kept = Kept(parameters.Integer("truncate"), model.Engine.MaxModelLength);
        if (kept is null && fields.Element("inputs") is { } text)
        {
            PromptEncoding.RequirePossible(model, text, "inputs");
        }

        var inputs = fields.String("inputs");
        if (string.IsNullOrEmpty(inputs))
        {
            throw ApiException.BadRequest("`inputs` cannot be empty", "inputs");
        }

        parameters.Refuse("typical_p", "sampling by typicality is not available; use top_p or min_p of the OpenAI API");
        parameters.Refuse("watermark", "this server marks no texts", IsFalse);
        parameters.Refuse("adapter_id", "this server has no adapters");
        parameters.Refuse("decoder_input_details", "log-probabilities of the prompt are not available", IsFalse);
        var temperature = parameters.Number("temperature");
        var topK = parameters.Integer("top_k");
        var topP = parameters.Number("top_p");
        var bestOf = parameters.Integer("best_of") ?? 1;
        var seed = parameters.Long("seed");
        var maxNewTokens = model.Defaults.MostTokens(parameters.Integer("max_new_tokens"), DefaultMaxNewTokens)!.Value;
        var numTopTokens = parameters.Integer("top_n_tokens") ?? 0;

        // As in TGI, whoever sets how to sample wants sampling.
        var samples = (parameters.Boolean("do_sample") ?? false) || temperature is not (null or 1) || topK is not null || topP is not null;
        Require(temperature is null or > 0, "temperature", "must be strictly positive", temperature);
        Require(topK is null or > 0, "top_k", "must be strictly positive", topK);
        Require(topP is null or (> 0 and < 1), "top_p", "must be > 0.0 and < 1.0", topP);
        Require(maxNewTokens > 0, "max_new_tokens", "must be strictly positive", maxNewTokens);
        Require(numTopTokens >= 0, "top_n_tokens", "must be >= 0", numTopTokens);
        Require(seed is null or >= 0, "seed", "must be >= 0", seed);
        Require(bestOf is > 0 and <= Choices.MaxChoices, "best_of", $"must be > 0 and <= {Choices.MaxChoices}", bestOf);
        Require(bestOf == 1 || samples, "best_of", "needs sampling when it is > 1 (`do_sample`)", bestOf);
        Require(bestOf == 1 || seed is null, "best_of", "must be 1 when `seed` is set", bestOf);
        Require(bestOf == 1 || !stream, "best_of", "must be 1 when tokens are streamed", bestOf);

        // Greedy stays TGI's default; the checkpoint says how to sample, not whether.
        var drawn = samples ? model.Defaults : SamplingDefaults.None;
        long? drawnSeed = samples ? seed ?? givenSeed ?? Random.Shared.NextInt64() : null;
        var request = new TgiRequest(
            inputs,
            PromptEncoding.Encode(
                model, inputs, fields.Boolean("add_special_tokens") ?? true, "inputs",
                kept),
            new SamplingParameters
            {
                N = bestOf,
                Temperature = samples ? temperature ?? drawn.Temperature ?? 1 : 0,
                TopK = topK ?? drawn.TopK ?? 0,
                TopP = topP ?? drawn.TopP ?? 1,
                MinP = drawn.MinP ?? 0,
                RepetitionPenalty = parameters.Number("repetition_penalty") ?? model.Defaults.RepetitionPenalty ?? 1,
                FrequencyPenalty = parameters.Number("frequency_penalty") ?? 0,
                Seed = drawnSeed,
                MaxTokens = maxNewTokens,
                Stop = parameters.Strings("stop"),
                IncludeStopStringInOutput = true,
                Logprobs = numTopTokens,
                Constraint = Grammar(parameters),
            },
            parameters.Boolean("details") ?? false,
            parameters.Boolean("return_full_text") ?? false,
            drawnSeed,
            numTopTokens);
        parameters.RejectUnread();
        fields.RejectUnread();
        return request;
    }

    /// <summary>Keeps the prompt's end, as TGI does.</summary>
    private static int? Kept(int? truncate, int maxModelLength)
    {
        Require(
            truncate is null || (truncate > 0 && truncate < maxModelLength), "truncate",
            $"must be strictly positive and less than {maxModelLength}", truncate);
        return truncate;
    }

    private static Constraint? Grammar(RequestFields parameters)
    {
        const string Name = "grammar";
        if (parameters.Element(Name) is not { } given)
        {
            return null;
        }

        var grammar = parameters.Nested(Name);
        var type = grammar.String("type");
        var value = grammar.Element("value");
        grammar.RejectUnread();
        return (type, value) switch
        {
            ("regex", { ValueKind: JsonValueKind.String } pattern) => new Constraint.Regex(RequestFields.Text(pattern, "grammar.value")),
            ("json", { ValueKind: JsonValueKind.Object } schema) => new Constraint.JsonSchema(schema.GetRawText()),
            ("json", { ValueKind: JsonValueKind.String } schema) => new Constraint.JsonSchema(RequestFields.Text(schema, "grammar.value")),
            ("json_schema", { ValueKind: JsonValueKind.Object } named) when named.TryGetProperty("schema", out var schema) =>
                new Constraint.JsonSchema(schema.GetRawText()),
            _ => throw RequestFields.WrongType(
                Name, given, "{\"type\": \"json\", \"value\": a JSON schema} or {\"type\": \"regex\", \"value\": a pattern}"),
        };
    }

    private static bool IsFalse(JsonElement value) => value.ValueKind == JsonValueKind.False;

    private static void Require<T>(bool holds, string parameter, string rule, T given)
    {
        if (!holds)
        {
            throw ApiException.BadRequest(string.Create(null, $"`{parameter}` {rule}. Given: {given}"), parameter);
        }
    }
}
