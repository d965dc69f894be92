using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Fields of a <c>config.json</c> by their usual names, whatever a model's family calls them. Part of
/// <see cref="ModelShapeReader"/>.</summary>
internal sealed class ModelFields
{
    public const int MostLayers = 1024;
    public const int MostHeads = 4096;
    public const int MostHeadDim = 1024;
    public const int MostFeatures = 1 << 20;
    public const int MostExperts = 4096;
    public const int MostTokens = 1 << 28;

    private readonly JsonObject _config;
    private readonly ModelFamily _family;

    private ModelFields(JsonObject config, string type, ModelFamily family, JsonObject quantization)
    {
        _config = config;
        _family = family;
        Type = type;
        Quantization = quantization;
    }

    /// <summary>As the checkpoint's <c>model_type</c> spells it.</summary>
    public string Type { get; }

    public ModelFamily Family => _family;

    /// <summary>Where the checkpoint says how it is quantized: config.json, or the text model's part of it.</summary>
    public JsonObject Quantization { get; }

    /// <summary>Fields of the text model: of a multimodal checkpoint those of its <c>text_config</c>, with what the checkpoint says of
    /// itself as a whole.</summary>
    /// <exception cref="ModelConfigException">It is of no known family.</exception>
    public static ModelFields Of(JsonObject config)
    {
        var type = TextOf(config, "model_type") ?? throw new ModelConfigException("config.json names no model_type");
        if (!ModelFamilies.Wrappers.TryGetValue(type, out var usual))
        {
            return new ModelFields(config, type, ModelFamilies.Of(type), config);
        }

        if (config["text_config"] is not JsonObject text)
        {
            return usual == type && config["text_config"] is null
                ? new ModelFields(config, type, ModelFamilies.Of(type), config)
                : throw new ModelConfigException($"config.json: a {type} checkpoint has its text model in text_config, which is no object");
        }

        var merged = text.DeepClone().AsObject();
        foreach (var field in new[] { "tie_word_embeddings", "dtype", "torch_dtype" })
        {
            merged[field] = (config[field] ?? text[field])?.DeepClone();
        }

        return new ModelFields(
            merged, type, ModelFamilies.Of(TextOf(text, "model_type") ?? usual), ModelConfig.LacksQuantization(config) ? text : config);
    }

    public bool Has(string name) => Find(name) is not null;

    /// <summary>The first of these fields that is there.</summary>
    /// <exception cref="ModelConfigException">It is no integer from 1 to <paramref name="most"/>, or none is there.</exception>
    public int Number(int most, int? fallback, params ReadOnlySpan<string> names) =>
        Optional(1, most, names) ?? fallback ?? Default(names[0]) ?? throw new ModelConfigException($"config.json has no {names[0]}");

    /// <summary>Null where none of these fields is there.</summary>
    public int? Optional(int least, int most, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Find(name) is { } value)
            {
                return Integer(value) is { } number && number >= least && number <= most
                    ? number
                    : throw Wrong(name, value, $"an integer from {least} to {most}");
            }
        }

        return null;
    }

    public bool Flag(string name, bool fallback) => Find(name) switch
    {
        null => fallback,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        var other => throw Wrong(name, other, "true or false"),
    };

    /// <summary>A list of integers, one of which may be at most <paramref name="most"/>; null where there is none.</summary>
    public IReadOnlyList<int>? Numbers(string name, int most, string expected) => Find(name) switch
    {
        null => null,
        JsonArray list when list.All(item => Integer(item) is { } number && number >= 0 && number <= most) =>
            [.. list.Select(item => Integer(item)!.Value)],
        var other => throw Wrong(name, other, expected),
    };

    /// <summary>A list with one of these words for each layer; null where there is none.</summary>
    public IReadOnlyList<string>? LayerWords(string name, int layers, params string[] known) => Find(name) switch
    {
        null => null,
        JsonArray list when list.Count == layers && list.All(item => item is JsonValue value && known.Contains(Text(value))) =>
            [.. list.Select(item => Text(item)!)],
        var other => throw Wrong(name, other, $"a list of {layers}, each one of {string.Join(", ", known)}"),
    };

    public string? Text(string name) => Find(name) is { } value ? Text(value) ?? throw Wrong(name, value, "a string") : null;

    private static ModelConfigException Wrong(string name, JsonNode value, string expected) =>
        new($"config.json: {name} is {value.ToJsonString()}; it must be {expected}");

    private int? Default(string name) => _family.Defaults.TryGetValue(name, out var number) ? number : null;

    private JsonNode? Find(string name) => _config[name]
        ?? (_family.Aliases.TryGetValue(name, out var own) ? own.Select(n => _config[n]).FirstOrDefault(n => n is not null) : null);

    private static string? TextOf(JsonObject json, string name) => Text(json[name]);

    private static string? Text(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    private static int? Integer(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out int number) ? number : null;
}
