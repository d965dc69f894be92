using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Apertus: Llama with normalized heads and xIELU, whose scalars are learned, in a plain MLP. HF modeling_apertus.py.</summary>
internal sealed class Apertus : Architecture
{
    public override string Name => "ApertusForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        AttentionNorm = "attention_layernorm",
        MlpNorm = "feedforward_layernorm",
        Up = "mlp.up_proj",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("qk_norm", supported: true, fallback: true);
        json.Require("post_norm", supported: false, fallback: false);
        json.RequireOneOf("hidden_act", "xielu");
        var attentionBias = json.Boolean("attention_bias", false);
        var defaults = new ConfigDefaults { ActivationField = null, NormEpsilon = 1e-5, RopeTheta = 12_000_000 };
        return ModelConfig.ReadCommonFields(this, json, defaults) with
        {
            QueryKeyNorm = QueryKeyNorm.PerHead,
            GatedMlp = false,
            Xielu = true,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
        };
    }
}
