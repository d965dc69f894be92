using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Reads <c>config.json</c> as far as memory follows from it. Field names and defaults are those of transformers'
/// configuration classes. Pure; called by <see cref="SizeDecider"/>.</summary>
internal sealed class ModelShapeReader
{
    private const int MostLayers = 1024;
    private const int MostHeads = 4096;
    private const int MostHeadDim = 1024;
    private const int MostFeatures = 1 << 20;
    private const int MostWords = 1 << 22;
    private const int MostExperts = 4096;
    private const int MostPositions = 1 << 27;
    private const string Supported = "llama (also Yi), mistral, mixtral, qwen2, qwen3, qwen3_moe, gemma2, phi, bloom, opt";

    private readonly JsonObject config;
    private readonly string type;

    private ModelShapeReader(JsonObject config)
    {
        this.config = config;
        type = Text(config, "model_type") ?? throw new ModelConfigException("config.json names no model_type");
    }

    /// <exception cref="ModelConfigException">A field is missing, wrong or of a model this cannot count.</exception>
    public static ModelShape Read(JsonObject config) => new ModelShapeReader(config).Read();

    private ModelShape Read()
    {
        int hidden = Number(MostFeatures, null, "hidden_size", "n_embed");
        int heads = Number(MostHeads, null, "num_attention_heads", "n_head");
        int layers = Number(MostLayers, null, "num_hidden_layers", "n_layer");
        int kvHeads = type is "bloom" or "opt" ? heads : Number(MostHeads, heads, "num_key_value_heads");
        if (heads % kvHeads != 0)
        {
            throw new ModelConfigException($"config.json: num_attention_heads {heads} is no multiple of num_key_value_heads {kvHeads}");
        }

        if (config["head_dim"] is null && hidden % heads != 0)
        {
            throw new ModelConfigException($"config.json: hidden_size {hidden} is no multiple of num_attention_heads {heads}, and there is no head_dim");
        }

        ModelShape shape = new()
        {
            Type = type,
            Layers = layers,
            HiddenSize = hidden,
            IntermediateSize = Number(MostFeatures, type == "bloom" ? 4 * hidden : null, "intermediate_size", "ffn_dim", "n_inner"),
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = Number(MostHeadDim, hidden / heads, "head_dim"),
            VocabSize = Number(MostWords, null, "vocab_size"),
            MaxLength = Number(MostPositions, type == "bloom" ? 2048 : null, "max_position_embeddings", "seq_length"),
            ElementBytes = (Text(config, "dtype") ?? Text(config, "torch_dtype")) == "float32" ? 4 : 2,
            TiedEmbeddings = Flag("tie_word_embeddings", type is "bloom" or "opt" or "gemma2"),
            Format = ReadFormat(config["quantization_config"] as JsonObject),
        };
        return type switch
        {
            "llama" or "mistral" => shape with { SmallWeights = Small(shape, norms: 2) },
            "qwen2" => shape with { SmallWeights = Small(shape, norms: 2) + ((long)layers * (heads + (2 * kvHeads)) * shape.HeadDim) },
            "qwen3" => shape with { SmallWeights = Small(shape, norms: 2) + (2L * layers * shape.HeadDim) },
            "gemma2" => shape with { SmallWeights = Small(shape, norms: 4) },
            "mixtral" => WithExperts(shape with { SmallWeights = Small(shape, norms: 2) }, "num_local_experts", shape.IntermediateSize),
            "qwen3_moe" => WithExperts(shape with { SmallWeights = Small(shape, norms: 2) + (2L * layers * shape.HeadDim) }, "num_experts", Number(MostFeatures, null, "moe_intermediate_size")),
            "phi" => shape with { GatedMlp = false, SmallWeights = (2 * Small(shape, norms: 1)) + Biases(shape) + shape.VocabSize },
            "bloom" => shape with { GatedMlp = false, SmallWeights = (2 * Small(shape, norms: 2)) + Biases(shape) + (2L * hidden) },
            "opt" => shape with { GatedMlp = false, SmallWeights = (2 * Small(shape, norms: 2)) + Biases(shape), LearnedPositions = shape.MaxLength + 2 },
            _ => throw new ModelConfigException($"config.json: model_type '{type}' is none whose memory is known; supported: {Supported}"),
        };
    }

    private ModelShape WithExperts(ModelShape shape, string field, int intermediate)
    {
        int step = Number(MostLayers, 1, "decoder_sparse_step");
        HashSet<int> dense = [.. (config["mlp_only_layers"] as JsonArray ?? []).OfType<JsonValue>().Select(v => v.TryGetValue(out int layer) ? layer : -1)];
        return shape with
        {
            Experts = Number(MostExperts, null, field, "num_local_experts"),
            ExpertIntermediateSize = intermediate,
            ExpertLayers = Enumerable.Range(0, shape.Layers).Count(l => (l + 1) % step == 0 && !dense.Contains(l)),
        };
    }

    /// <summary>Weights of the norms, with one after the last layer.</summary>
    private static long Small(ModelShape shape, int norms) => (((long)norms * shape.Layers) + 1) * shape.HiddenSize;

    /// <summary>Of q, k, v, attention output and both MLP projections.</summary>
    private static long Biases(ModelShape shape) =>
        (long)shape.Layers * (((shape.Heads + (2L * shape.KvHeads)) * shape.HeadDim) + (2L * shape.HiddenSize) + shape.IntermediateSize);

    private static WeightFormat ReadFormat(JsonObject? quantization)
    {
        switch (quantization is null ? null : Text(quantization, "quant_method") ?? "")
        {
            case null:
                return WeightFormat.Plain;
            case "fp8" or "fbgemm_fp8":
                return WeightFormat.Fp8;
            case "compressed-tensors" when Text(quantization!, "format") is "float-quantized" or null:
                return WeightFormat.Fp8;
            case "gptq" or "awq" or "squeezellm":
                string method = Text(quantization!, "quant_method")!;
                int bits = Integer(quantization!["bits"] ?? quantization["w_bit"] ?? quantization["wbits"]) ?? 4;
                int group = Integer(quantization["group_size"] ?? quantization["q_group_size"]) ?? 128;
                if (bits is < 2 or > 8 || group is 0 or < -1 or > MostFeatures)
                {
                    throw new ModelConfigException($"config.json: quantization_config: {bits} bits in groups of {group} cannot be");
                }

                string name = method switch { "gptq" => "GPTQ", "awq" => "AWQ", _ => "SqueezeLLM" };

                // A group of -1 is a whole column, and SqueezeLLM has a table for each output: neither limits how inputs are cut.
                return method == "squeezellm" || group == -1 ? new WeightFormat($"{name}, {bits} bits", bits) : WeightFormat.Grouped(name, bits, group);
            case var other:
                throw new ModelConfigException($"config.json: quantization_config.quant_method '{other}' is none whose memory is known; supported: fp8, compressed-tensors (float-quantized), gptq, awq, squeezellm");
        }
    }

    /// <summary>The first of these fields that is there.</summary>
    private int Number(int most, int? fallback, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (config[name] is { } value)
            {
                return Integer(value) is { } number && number >= 1 && number <= most
                    ? number
                    : throw new ModelConfigException($"config.json: {name} is {value.ToJsonString()}; it must be an integer from 1 to {most}");
            }
        }

        return fallback ?? throw new ModelConfigException($"config.json has no {names[0]}");
    }

    private bool Flag(string name, bool fallback) => config[name] is JsonValue value && value.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? config[name]!.GetValue<bool>() : fallback;

    private static string? Text(JsonObject json, string name) => json[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    private static int? Integer(JsonNode? node) => node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out int number) ? number : null;
}
