using System.Text.Json.Nodes;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Reads <c>config.json</c> as far as memory follows from it. The worker reads the same file to build the model:
/// tests/EndToEnd.Tests/Contracts runs both over the same configurations, and what one refuses the other does. Pure; called by
/// <see cref="SizeDecider"/>.</summary>
internal static class ModelShapeReader
{
    private const int MostWords = 1 << 22;
    private const int MostPositions = 1 << 27;

    /// <param name="requested">What <c>--quantization</c> asks for, which weights that are not quantized are rounded to; null for
    /// nothing.</param>
    /// <exception cref="ModelConfigException">A field is missing, wrong or of a model this cannot count.</exception>
    public static ModelShape Read(JsonObject config, string? requested = null)
    {
        var fields = ModelFields.Of(config);
        var family = fields.Family;
        var hidden = fields.Number(ModelFields.MostFeatures, null, "hidden_size");
        var heads = fields.Number(ModelFields.MostHeads, null, "num_attention_heads");
        var layers = fields.Number(ModelFields.MostLayers, null, "num_hidden_layers");
        var kvHeads = family.KvHeads(fields) ?? heads;
        if (heads % kvHeads != 0)
        {
            throw new ModelConfigException($"config.json: num_attention_heads {heads} is no multiple of num_key_value_heads {kvHeads}");
        }

        var headDim = fields.Optional(1, ModelFields.MostHeadDim, "head_dim")
            ?? (family.Defaults.TryGetValue("head_dim", out var usual) ? usual : null);
        if (headDim is null && !family.Latent && hidden % heads != 0)
        {
            throw new ModelConfigException(
                $"config.json: hidden_size {hidden} is no multiple of num_attention_heads {heads}, and there is no head_dim");
        }

        var dense = fields.Number(ModelFields.MostFeatures, family.IntermediateRatio * hidden, family.DenseIntermediate);
        var experts = family.Experts(fields, layers);
        var positions = fields.Number(MostPositions, null, "max_position_embeddings");
        var latent = family.Latent ? ReadLatent(fields) : null;
        var quantized = QuantizationReader.Read(fields.Quantization, requested);
        ModelShape shape = new()
        {
            Type = fields.Type,
            Layers = layers,
            HiddenSize = hidden,
            IntermediateSize = experts?.Layers == layers ? 0 : dense,
            Heads = heads,
            KvHeads = latent is null ? kvHeads : 1, // num_key_value_heads is that of the attention that nobody computes.
            HeadDim = latent?.QueryDim ?? headDim ?? hidden / heads,
            VocabSize = fields.Number(MostWords, null, "vocab_size"),
            MaxLength = positions,
            ElementBytes = ReadElementBytes(fields),
            Format = quantized.Format,
            GatedMlp = family.GatedMlp,
            TiedEmbeddings = ReadTied(fields),
            Experts = experts,
            Latent = latent,
            LearnedPositions = family.LearnedPositions(positions),
            Windows = family.Windows(fields, layers),
        };
        return shape with { Weights = ModelWeights.Of(shape, fields, quantized) };
    }

    private static LatentShape ReadLatent(ModelFields fields) => new(
        fields.Optional(1, ModelFields.MostFeatures, "q_lora_rank"),
        fields.Number(ModelFields.MostFeatures, null, "kv_lora_rank"),
        fields.Number(ModelFields.MostHeadDim, null, "qk_nope_head_dim"),
        fields.Number(ModelFields.MostHeadDim, null, "qk_rope_head_dim"),
        fields.Number(ModelFields.MostHeadDim, null, "v_head_dim"));

    private static int ReadElementBytes(ModelFields fields)
    {
        var field = fields.Has("dtype") ? "dtype" : "torch_dtype";
        return fields.Text(field) switch
        {
            null or "auto" or "bfloat16" or "float16" => 2,
            "float32" => 4,
            var other => throw new ModelConfigException($"config.json: {field} is \"{other}\"; supported: bfloat16, float16, float32"),
        };
    }

    private static bool ReadTied(ModelFields fields)
    {
        var tied = fields.Flag("tie_word_embeddings", fields.Family.TiedByDefault);
        return (fields.Type, tied) is ("bloom", false) or ("phi", true)
            ? throw new ModelConfigException(
                $"config.json: tie_word_embeddings is {(tied ? "true" : "false")}; of {fields.Type} models only "
                + $"{(tied ? "false" : "true")} is supported")
            : tied;
    }
}
