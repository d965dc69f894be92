using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>dots.llm1: Qwen 3's attention with DeepSeek-V3's experts. HF modeling_dots1.py.</summary>
internal sealed class Dots1 : Architecture
{
    public override string Name => "Dots1ForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var config = ModelConfig.ReadCommonFields(this, json, new());
        var firstWindow = json.OptionalInteger("max_window_layers", 0, ModelConfig.MaxLayers) ?? 62;
        return config with
        {
            QueryKeyNorm = QueryKeyNorm.PerHead,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, layer => layer >= firstWindow),
            Moe = new DeepseekExperts { Normalize = false }.Read(json, config.NumLayers),
        };
    }
}
