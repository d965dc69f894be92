using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>BLOOM: positions by ALiBi, embeddings normalized, q, k and v in one matrix head by head. Checkpoints saved without the language
/// model's head leave the prefix <c>transformer.</c> away. HF modeling_bloom.py.</summary>
internal sealed class Bloom : Architecture
{
    /// <summary>BLOOM's training length; ALiBi itself has no limit.</summary>
    private const int TrainedPositions = 2048;

    private static readonly WeightNames Bare = Names("");

    public override string Name => "BloomForCausalLM";

    public override WeightNames WeightNames { get; } = Names("transformer.");

    public override WeightNames NamesIn(Predicate<string> has) => has(Bare.Embedding) ? Bare : WeightNames;

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("apply_residual_connection_post_layernorm", supported: false, fallback: false);
        json.Require("tie_word_embeddings", supported: true, fallback: true);
        var named = json.WithAliases(
            ("hidden_size", "n_embed"),
            ("intermediate_size", "n_inner"),
            ("num_attention_heads", "n_head"),
            ("num_hidden_layers", "n_layer"),
            ("rms_norm_eps", "layer_norm_epsilon"),
            ("max_position_embeddings", "seq_length"));
        var defaults = new ConfigDefaults
        {
            Activation = Compute.Activation.GeluTanh,
            NormEpsilon = 1e-5,
            TieWordEmbeddings = true,
            MaxPositionEmbeddings = TrainedPositions,
            IntermediateRatio = 4,
            Rotary = false,
        };
        return ModelConfig.ReadCommonFields(this, named, defaults) with
        {
            Norm = NormKind.Layer,
            EmbeddingNorm = true,
            Alibi = true,
            QkvLayout = QkvLayout.ByGroup,
            GatedMlp = false,
            QkvBias = true,
            AttentionOutputBias = true,
            MlpBias = true,
        };
    }

    private static WeightNames Names(string prefix) => new()
    {
        Embedding = prefix + "word_embeddings.weight",
        EmbeddingNorm = prefix + "word_embeddings_layernorm",
        FinalNorm = prefix + "ln_f",
        LayerPrefix = prefix + "h.",
        Qkv = ["self_attention.query_key_value"],
        AttentionOutput = "self_attention.dense",
        Up = "mlp.dense_h_to_4h",
        Down = "mlp.dense_4h_to_h",
    };
}
