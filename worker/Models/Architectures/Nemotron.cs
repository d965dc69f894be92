using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Nemotron 3 and 4, Minitron: LayerNorm that stores its weight less one, half of each head rotated, squared ReLU in a plain MLP.
/// HF modeling_nemotron.py.</summary>
internal sealed class Nemotron : Architecture
{
    public override string Name => "NemotronForCausalLM";

    public override WeightNames WeightNames { get; } = new() { Up = "mlp.up_proj" };

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var named = json.WithAliases(("rms_norm_eps", "norm_eps"), ("partial_rotary_factor", "rope_percent"));
        var defaults = new ConfigDefaults { Activation = Compute.Activation.Relu2, NormEpsilon = 1e-5, PartialRotaryFactor = 0.5 };
        return ModelConfig.ReadCommonFields(this, named, defaults) with
        {
            Norm = NormKind.Layer,
            NormWeightOffset = 1,
            GatedMlp = false,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            MlpBias = json.Boolean("mlp_bias", false),
        };
    }
}
