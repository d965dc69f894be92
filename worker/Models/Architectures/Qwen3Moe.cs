using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Qwen 3 with a mixture of experts in most layers. Where windows are on, every layer slides. HF modeling_qwen3_moe.py.</summary>
internal sealed class Qwen3Moe : Architecture
{
    public override string Name => "Qwen3MoeForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var config = ModelConfig.ReadCommonFields(this, json, new());
        return config with
        {
            QueryKeyNorm = QueryKeyNorm.PerHead,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            SlidingWindows = json.Boolean("use_sliding_window", false) ? SlidingWindows.Read(json, config.NumLayers, _ => true) : [],
            Moe = Qwen2Moe.ReadExperts(json, config.NumLayers),
        };
    }
}
