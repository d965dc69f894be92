using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>GPT-2: learned positions, LayerNorm, biases everywhere, and linear layers stored as <c>[in, out]</c>. Checkpoints saved without
/// the language model's head leave the prefix <c>transformer.</c> away. HF modeling_gpt2.py.</summary>
internal sealed class Gpt2 : Architecture
{
    private static readonly WeightNames Bare = Names("");

    public override string Name => "GPT2LMHeadModel";

    public override WeightNames WeightNames { get; } = Names("transformer.");

    public override WeightNames NamesIn(Predicate<string> has) => has(Bare.Embedding) ? Bare : WeightNames;

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("scale_attn_weights", supported: true, fallback: true);
        json.Require("scale_attn_by_inverse_layer_idx", supported: false, fallback: false);
        json.Require("add_cross_attention", supported: false, fallback: false);
        return ModelConfig.ReadCommonFields(this, Named(json), Defaults) with
        {
            Norm = NormKind.Layer,
            LearnedPositionOffset = 0,
            QkvLayout = QkvLayout.Stacked,
            TransposedLayers = true,
            GatedMlp = false,
            QkvBias = true,
            AttentionOutputBias = true,
            MlpBias = true,
        };
    }

    public override bool IsIgnorable(string tensor, ModelConfig config) => IsCausalMask(tensor) || base.IsIgnorable(tensor, config);

    /// <summary>What the family's configurations leave out.</summary>
    internal static ConfigDefaults Defaults { get; } = new()
    {
        ActivationField = "activation_function",
        Activation = Compute.Activation.GeluTanh,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = true,
        IntermediateRatio = 4,
        Rotary = false,
    };

    /// <summary>The family's names of the common fields.</summary>
    internal static ConfigObject Named(ConfigObject json) => json.WithAliases(
        ("hidden_size", "n_embd"),
        ("intermediate_size", "n_inner"),
        ("num_attention_heads", "n_head"),
        ("num_hidden_layers", "n_layer"),
        ("max_position_embeddings", "n_positions"),
        ("rms_norm_eps", "layer_norm_epsilon"));

    /// <summary>The family's names of tensors.</summary>
    internal static WeightNames Names(string prefix) => new()
    {
        Embedding = prefix + "wte.weight",
        PositionEmbedding = prefix + "wpe.weight",
        FinalNorm = prefix + "ln_f",
        LayerPrefix = prefix + "h.",
        AttentionNorm = "ln_1",
        Qkv = ["attn.c_attn"],
        AttentionOutput = "attn.c_proj",
        MlpNorm = "ln_2",
        Up = "mlp.c_fc",
        Down = "mlp.c_proj",
    };
}
