using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>GPT-NeoX and Pythia: LayerNorm, biases everywhere, a share of each head rotated, attention and MLP side by side on norms of
/// their own, or one after the other. HF modeling_gpt_neox.py.</summary>
internal sealed class GptNeoX : Architecture
{
    public override string Name => "GPTNeoXForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        Embedding = "gpt_neox.embed_in.weight",
        FinalNorm = "gpt_neox.final_layer_norm",
        Output = "embed_out",
        LayerPrefix = "gpt_neox.layers.",
        Qkv = ["attention.query_key_value"],
        AttentionOutput = "attention.dense",
        Up = "mlp.dense_h_to_4h",
        Down = "mlp.dense_4h_to_h",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", true);
        var named = json.WithAliases(
            ("rms_norm_eps", "layer_norm_eps"), ("partial_rotary_factor", "rotary_pct"), ("rope_theta", "rotary_emb_base"));
        var defaults = new ConfigDefaults { Activation = Compute.Activation.Gelu, NormEpsilon = 1e-5, PartialRotaryFactor = 0.25 };
        return ModelConfig.ReadCommonFields(this, named, defaults) with
        {
            Norm = NormKind.Layer,
            Wiring = json.Boolean("use_parallel_residual", true) ? LayerWiring.ParallelNorms : LayerWiring.PreNorm,
            QkvLayout = QkvLayout.ByGroup,
            GatedMlp = false,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            MlpBias = true,
        };
    }

    public override bool IsIgnorable(string tensor, ModelConfig config) => IsCausalMask(tensor) || base.IsIgnorable(tensor, config);
}
