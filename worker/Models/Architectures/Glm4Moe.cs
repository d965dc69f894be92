using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>GLM 4.5 and 4.6: DeepSeek-V3's experts, heads of which half is rotated, biases on q, k and v.
/// HF modeling_glm4_moe.py.</summary>
internal sealed class Glm4Moe : Architecture
{
    public override string Name => "Glm4MoeForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var config = ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5, PartialRotaryFactor = 0.5 });
        return config with
        {
            QueryKeyNorm = json.Boolean("use_qk_norm", false) ? QueryKeyNorm.PerHead : QueryKeyNorm.None,
            QkvBias = json.Boolean("attention_bias", false),
            Moe = new DeepseekExperts { FirstDense = 1 }.Read(json, config.NumLayers),
        };
    }
}
