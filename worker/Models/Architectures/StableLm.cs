using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>StableLM 2: LayerNorm, a quarter of each head rotated, attention and MLP one after the other, or side by side on one norm. HF
/// modeling_stablelm.py.</summary>
internal sealed class StableLm : Architecture
{
    public override string Name => "StableLmForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("qk_layernorm", supported: false, fallback: false);
        var defaults = new ConfigDefaults { NormEpsilon = 1e-5, PartialRotaryFactor = 0.25 };
        return ModelConfig.ReadCommonFields(this, json.WithAliases(("rms_norm_eps", "layer_norm_eps")), defaults) with
        {
            Norm = NormKind.Layer,
            Wiring = json.Boolean("use_parallel_residual", false) ? LayerWiring.Parallel : LayerWiring.PreNorm,
            QkvBias = json.Boolean("use_qkv_bias", false),
        };
    }
}
