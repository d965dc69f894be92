using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Llama 1 to 3 and its namesakes (SmolLM, TinyLlama, Yi, …). <c>attention_bias</c> gives biases to all four attention projections
/// (HF modeling_llama.py), unlike Qwen2, where only q, k and v have them.</summary>
internal sealed class Llama : Architecture
{
    public override string Name => "LlamaForCausalLM";

    public override IReadOnlyList<string> Aliases => ["LLaMAForCausalLM"];

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        return ModelConfig.ReadCommonFields(this, json, new()) with
        {
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            MlpBias = json.Boolean("mlp_bias", false),
        };
    }
}
