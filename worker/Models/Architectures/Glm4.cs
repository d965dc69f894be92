using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>GLM-4 of 2025: norms before and after attention and MLP, half of each head rotated, neighbours with each other; gate and up in
/// one matrix. HF modeling_glm4.py.</summary>
internal sealed class Glm4 : Architecture
{
    public override string Name => "Glm4ForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        AttentionPostNorm = "post_self_attn_layernorm",
        GateUp = ["mlp.gate_up_proj"],
        MlpPostNorm = "post_mlp_layernorm",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        var defaults = new ConfigDefaults { NormEpsilon = 1.5625e-7, PartialRotaryFactor = 0.5, InterleavedRotary = true };
        return ModelConfig.ReadCommonFields(this, json, defaults) with
        {
            Wiring = LayerWiring.Sandwich,
            QkvBias = json.Boolean("attention_bias", false),
        };
    }
}
