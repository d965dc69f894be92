using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Qwen 3: Llama with normalized query and key heads. HF modeling_qwen3.py.</summary>
internal sealed class Qwen3 : Architecture
{
    public override string Name => "Qwen3ForCausalLM";

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
            SlidingWindows = Qwen2.ReadWindows(json, config.NumLayers),
        };
    }
}
