using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Reads <c>config.json</c> as far as memory follows from it. Field names and defaults are those of transformers'
/// configuration classes. The worker reads the same file to build the model: tests/EndToEnd.Tests/Contracts runs both over the same
/// configurations, and what one refuses the other does. Pure; called by <see cref="SizeDecider"/>.</summary>
internal sealed class ModelShapeReader
{
    private const int MostLayers = 1024;
    private const int MostHeads = 4096;
    private const int MostHeadDim = 1024;
    private const int MostFeatures = 1 << 20;
    private const int MostWords = 1 << 22;
    private const int MostExperts = 4096;
    private const int MostPositions = 1 << 27;
    private const string Supported = "llama, Yi, mistral, mixtral, qwen2, qwen3, qwen3_moe, gemma2, phi, bloom, opt";

    private readonly JsonObject _config;
    private readonly string _type;

    private ModelShapeReader(JsonObject config)
    {
        _config = config;
        _type = Text(config, "model_type") ?? throw new ModelConfigException("config.json names no model_type");
    }

    /// <exception cref="ModelConfigException">A field is missing, wrong or of a model this cannot count.</exception>
    public static ModelShape Read(JsonObject config) => new ModelShapeReader(config).Read();

    private ModelShape Read()
    {
        var hidden = Number(MostFeatures, null, "hidden_size");
        var heads = Number(MostHeads, null, "num_attention_heads");
        var layers = Number(MostLayers, null, "num_hidden_layers");
        var kvHeads = Number(MostHeads, heads, "num_key_value_heads");
        if (heads % kvHeads != 0)
        {
            throw new ModelConfigException($"config.json: num_attention_heads {heads} is no multiple of num_key_value_heads {kvHeads}");
        }

        if (_config["head_dim"] is null && hidden % heads != 0)
        {
            throw new ModelConfigException(
                $"config.json: hidden_size {hidden} is no multiple of num_attention_heads {heads}, and there is no head_dim");
        }

        ModelShape shape = new()
        {
            Type = _type,
            Layers = layers,
            HiddenSize = hidden,
            IntermediateSize = Number(MostFeatures, _type == "bloom" ? 4 * hidden : null, "intermediate_size"),
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = Number(MostHeadDim, hidden / heads, "head_dim"),
            VocabSize = Number(MostWords, null, "vocab_size"),
            MaxLength = Number(MostPositions, _type == "bloom" ? 2048 : null, "max_position_embeddings"),
            ElementBytes = ReadElementBytes(),
            TiedEmbeddings = ReadTied(),
            Format = QuantizationReader.Read(_config),
        };
        return _type switch
        {
            "llama" or "Yi" or "mistral" => shape with { SmallWeights = Small(shape, norms: 2) },
            "qwen2" => shape with { SmallWeights = Small(shape, norms: 2) + ((long)layers * (heads + (2 * kvHeads)) * shape.HeadDim) },
            "qwen3" => shape with { SmallWeights = Small(shape, norms: 2) + (2L * layers * shape.HeadDim) },
            "gemma2" => shape with { SmallWeights = Small(shape, norms: 4) },
            "mixtral" => WithExperts(shape with { SmallWeights = Small(shape, norms: 2) }, shape.IntermediateSize, layers),
            "qwen3_moe" => WithExperts(
                shape with { SmallWeights = Small(shape, norms: 2) + (2L * layers * shape.HeadDim) },
                Number(MostFeatures, null, "moe_intermediate_size"), SparseLayers(layers)),
            "phi" => shape with { GatedMlp = false, SmallWeights = (2 * Small(shape, norms: 1)) + Biases(shape) + shape.VocabSize },
            "bloom" => shape with { GatedMlp = false, SmallWeights = (2 * Small(shape, norms: 2)) + Biases(shape) + (2L * hidden) },
            "opt" => shape with
            {
                GatedMlp = false,
                SmallWeights = (2 * Small(shape, norms: 2)) + Biases(shape),
                LearnedPositions = shape.MaxLength + 2
            },
            _ => throw new ModelConfigException($"config.json: model_type '{_type}' is none whose memory is known; supported: {Supported}"),
        };
    }

    private ModelShape WithExperts(ModelShape shape, int intermediate, int expertLayers) => shape with
    {
        Experts = Number(MostExperts, null, "num_local_experts", "num_experts"),
        ExpertIntermediateSize = intermediate,
        ExpertLayers = expertLayers,
    };

    /// <summary>Layers that have experts: every so many, without those that are listed as dense.</summary>
    private int SparseLayers(int layers)
    {
        var step = Number(MostLayers, 1, "decoder_sparse_step");
        var dense = _config["mlp_only_layers"] switch
        {
            null => [],
            JsonArray list when list.All(item => Integer(item) is { } layer && layer >= 0 && layer < layers) =>
                list.Select(item => Integer(item)!.Value).ToHashSet(),
            var other => throw new ModelConfigException(
                $"config.json: mlp_only_layers is {other.ToJsonString()}; it must be a list of layers from 0 to {layers - 1}"),
        };
        return Enumerable.Range(0, layers).Count(layer => (layer + 1) % step == 0 && !dense.Contains(layer));
    }

    private int ReadElementBytes()
    {
        var field = _config["dtype"] is null ? "torch_dtype" : "dtype";
        return _config[field] switch
        {
            null => 2,
            JsonValue value when value.TryGetValue(out string? name) && name is "auto" or "bfloat16" or "float16" => 2,
            JsonValue value when value.TryGetValue(out string? name) && name is "float32" => 4,
            var other =>
                throw new ModelConfigException($"config.json: {field} is {other.ToJsonString()}; supported: bfloat16, float16, float32"),
        };
    }

    private bool ReadTied()
    {
        var tied = _config["tie_word_embeddings"] switch
        {
            null => _type is "bloom" or "opt" or "gemma2",
            JsonValue value when value.TryGetValue(out bool flag) => flag,
            var other =>
                throw new ModelConfigException($"config.json: tie_word_embeddings is {other.ToJsonString()}; it must be true or false"),
        };
        return (_type, tied) is ("bloom", false) or ("phi", true)
            ? throw new ModelConfigException(
                $"config.json: tie_word_embeddings is {(tied ? "true" : "false")}; of {_type} models only {(tied ? "false" : "true")} "
                + "is supported")
            : tied;
    }

    /// <summary>Weights of the norms, with one after the last layer.</summary>
    private static long Small(ModelShape shape, int norms) => (((long)norms * shape.Layers) + 1) * shape.HiddenSize;

    /// <summary>Of q, k, v, attention output and both MLP projections.</summary>
    private static long Biases(ModelShape shape) =>
        (long)shape.Layers * (((shape.Heads + (2L * shape.KvHeads)) * shape.HeadDim) + (2L * shape.HiddenSize) + shape.IntermediateSize);

    /// <summary>The first of these fields that is there.</summary>
    private int Number(int most, int? fallback, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Find(name) is { } value)
            {
                return Integer(value) is { } number && number >= 1 && number <= most
                    ? number
                    : throw new ModelConfigException(
                        $"config.json: {name} is {value.ToJsonString()}; it must be an integer from 1 to {most}");
            }
        }

        return fallback ?? throw new ModelConfigException($"config.json has no {names[0]}");
    }

    /// <summary>A field by its usual name, or by the one that this type of model has for it.</summary>
    private JsonNode? Find(string name) => _config[name] ?? (_type, name) switch
    {
        ("opt", "intermediate_size") => _config["ffn_dim"],
        ("bloom", "hidden_size") => _config["n_embed"],
        ("bloom", "num_attention_heads") => _config["n_head"],
        ("bloom", "num_hidden_layers") => _config["n_layer"],
        ("bloom", "intermediate_size") => _config["n_inner"],
        ("bloom", "max_position_embeddings") => _config["seq_length"],
        _ => null,
    };

    private static string? Text(JsonObject json, string name) =>
        json[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    private static int? Integer(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out int number) ? number : null;
}
