using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>MPT: positions by ALiBi, LayerNorm and linear layers without biases, q, k and v in one matrix; the MLP is four times as wide,
/// whatever <c>expansion_ratio</c> says. HF modeling_mpt.py.</summary>
internal sealed class Mpt : Architecture
{
    private const int MaxExponent = 1 << 10;

    public override string Name => "MptForCausalLM";

    public override IReadOnlyList<string> Aliases => ["MPTForCausalLM"];

    public override WeightNames WeightNames { get; } = new()
    {
        Embedding = "transformer.wte.weight",
        FinalNorm = "transformer.norm_f",
        LayerPrefix = "transformer.blocks.",
        AttentionNorm = "norm_1",
        Qkv = ["attn.Wqkv"],
        AttentionOutput = "attn.out_proj",
        MlpNorm = "norm_2",
        Up = "ffn.up_proj",
        Down = "ffn.down_proj",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("no_bias", supported: true, fallback: true);
        json.Require("tie_word_embeddings", supported: true, fallback: true);
        json.RequireOneOf("norm_type", "low_precision_layernorm", "layernorm");
        if (json.Has("logit_scale"))
        {
            throw json.Invalid("logit_scale", "is set; only null is supported");
        }

        var attention = json.OptionalObject("attn_config") ?? throw json.Invalid("attn_config", "is missing; only ALiBi is supported");
        attention.Require("alibi", supported: true, fallback: true);
        attention.Require("qk_ln", supported: false, fallback: false);
        attention.Require("prefix_lm", supported: false, fallback: false);
        attention.Require("attn_uses_sequence_id", supported: false, fallback: false);
        attention.RequireOneOf("attn_type", "multihead_attention");
        if (attention.Has("clip_qkv"))
        {
            throw attention.Invalid("clip_qkv", "is set; only null is supported");
        }

        var named = json.WithAliases(
            ("hidden_size", "d_model"),
            ("num_attention_heads", "n_heads"),
            ("num_hidden_layers", "n_layers"),
            ("max_position_embeddings", "max_seq_len"),
            ("rms_norm_eps", "layer_norm_epsilon"));
        var defaults = new ConfigDefaults
        {
            ActivationField = null,
            Activation = Compute.Activation.Gelu,
            NormEpsilon = 1e-5,
            TieWordEmbeddings = true,
            IntermediateRatio = 4,
            Rotary = false,
        };
        return ModelConfig.ReadCommonFields(this, named, defaults) with
        {
            Norm = NormKind.BiaslessLayer,
            Alibi = true,
            AlibiExponent = (float)(attention.OptionalPositive("alibi_bias_max", MaxExponent) ?? 8),
            AttentionScale = (float)(attention.OptionalPositive("softmax_scale", MaxExponent) ?? 0),
            QkvLayout = QkvLayout.Stacked,
            GatedMlp = false,
        };
    }
}
