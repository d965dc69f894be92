using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>OLMo 2: outputs of attention and MLP are normalized instead of inputs, and all heads together. HF modeling_olmo2.py.</summary>
internal sealed class Olmo2 : Architecture
{
    public override string Name => "Olmo2ForCausalLM";

    public override WeightNames WeightNames { get; } = Names;

    /// <summary>Shared with OLMo 3.</summary>
    internal static WeightNames Names { get; } = new()
    {
        AttentionPostNorm = "post_attention_layernorm",
        MlpPostNorm = "post_feedforward_layernorm",
    };

    public override ModelConfig Read(ConfigObject json) => Read(this, json);

    internal static ModelConfig Read(Architecture architecture, ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        return ModelConfig.ReadCommonFields(architecture, json, new() { NormEpsilon = 1e-5 }) with
        {
            Wiring = LayerWiring.PostNorm,
            QueryKeyNorm = QueryKeyNorm.AllHeads,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
        };
    }
}
