using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Falcon: attention and MLP side by side; q, k and v in one matrix. The 40B's architecture groups its heads and has two norms,
/// the 7B's has one key/value head, the 1B's ALiBi instead of rotation. HF modeling_falcon.py.</summary>
internal sealed class Falcon : Architecture
{
    private static readonly WeightNames OneNorm = new()
    {
        Embedding = "transformer.word_embeddings.weight",
        FinalNorm = "transformer.ln_f",
        LayerPrefix = "transformer.h.",
        Qkv = ["self_attention.query_key_value"],
        AttentionOutput = "self_attention.dense",
        Up = "mlp.dense_h_to_4h",
        Down = "mlp.dense_4h_to_h",
    };

    private static readonly WeightNames TwoNorms = OneNorm with { AttentionNorm = "ln_attn", MlpNorm = "ln_mlp" };

    public override string Name => "FalconForCausalLM";

    /// <summary>What the first checkpoints say, and RefinedWeb is their data.</summary>
    public override IReadOnlyList<string> Aliases => ["RWForCausalLM"];

    public override WeightNames WeightNames => OneNorm;

    public override WeightNames NamesIn(Predicate<string> has) => has("transformer.h.0.ln_attn.weight") ? TwoNorms : OneNorm;

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("apply_residual_connection_post_layernorm", supported: false, fallback: false);
        var named = json.WithAliases(
            ("num_attention_heads", "n_head"),
            ("num_hidden_layers", "n_layer"),
            ("num_kv_heads", "n_head_kv"),
            ("intermediate_size", "ffn_hidden_size"),
            ("hidden_act", "activation"),
            ("rms_norm_eps", "layer_norm_epsilon"));
        var alibi = json.Boolean("alibi", false);
        var defaults = new ConfigDefaults
        {
            Activation = Compute.Activation.Gelu,
            NormEpsilon = 1e-5,
            TieWordEmbeddings = true,
            MaxPositionEmbeddings = 2048,
            IntermediateRatio = 4,
            Rotary = !alibi,
        };
        var config = ModelConfig.ReadCommonFields(this, named, defaults);
        var isGrouped = json.Boolean("new_decoder_architecture", json.OptionalString("model_type") == "RefinedWeb");
        var kvHeads = KvHeads(named, config.NumHeads, isGrouped);
        var bias = json.Boolean("bias", false);
        return config with
        {
            NumKvHeads = kvHeads,
            Norm = NormKind.Layer,
            Wiring = Wiring(json, isGrouped),
            Alibi = alibi,

            // Scores are scaled after the slopes' share is added.
            AlibiScale = config.AttentionScale,
            QkvLayout = isGrouped || kvHeads > 1 ? QkvLayout.ByGroup : QkvLayout.Stacked,
            GatedMlp = false,
            QkvBias = bias,
            AttentionOutputBias = bias,
            MlpBias = bias,
        };
    }

    private static int KvHeads(ConfigObject json, int heads, bool isGrouped)
    {
        if (!isGrouped)
        {
            return json.Boolean("multi_query", true) ? 1 : heads;
        }

        var kvHeads = json.OptionalInteger("num_kv_heads", 1, heads) ?? heads;
        return heads % kvHeads == 0
            ? kvHeads
            : throw json.Invalid("num_kv_heads", $"is {kvHeads}; it must divide num_attention_heads {heads}");
    }

    private static LayerWiring Wiring(ConfigObject json, bool isGrouped)
    {
        if (!json.Boolean("parallel_attn", true))
        {
            return LayerWiring.PreNorm;
        }

        return isGrouped && (json.OptionalInteger("num_ln_in_parallel_attn", 1, 2) ?? 2) == 2
            ? LayerWiring.ParallelNorms
            : LayerWiring.Parallel;
    }
}
