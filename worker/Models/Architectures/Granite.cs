using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Granite 3: Llama with four multipliers, of embeddings, scores, residuals and logits. HF modeling_granite.py.</summary>
internal sealed class Granite : Architecture
{
    private const double MaxMultiplier = 1 << 20;

    public override string Name => "GraniteForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        return Multiplied(ModelConfig.ReadCommonFields(this, json, new()), json) with
        {
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            MlpBias = json.Boolean("mlp_bias", false),
        };
    }

    /// <summary>Reads the multipliers, which all of Granite's models have.</summary>
    internal static ModelConfig Multiplied(ModelConfig config, ConfigObject json)
    {
        float Multiplier(string name) => (float)(json.OptionalPositive(name, MaxMultiplier) ?? 1);
        return config with
        {
            EmbeddingScale = Multiplier("embedding_multiplier"),
            AttentionScale = Multiplier("attention_multiplier"),
            ResidualScale = Multiplier("residual_multiplier"),
            LogitScale = 1 / Multiplier("logits_scaling"),
        };
    }
}
