using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Command R: attention and MLP side by side, LayerNorm without bias, neighbouring elements rotated with each other, logits
/// scaled; Command R+ normalizes each head by weights of its own. HF modeling_cohere.py.</summary>
internal sealed class Cohere : Architecture
{
    private const double MaxScale = 1 << 20;

    public override string Name => "CohereForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json) => Read(this, json) with
    {
        QueryKeyNorm = json.Boolean("use_qk_norm", false) ? QueryKeyNorm.LayerNormPerHead : QueryKeyNorm.None,
    };

    /// <summary>What Command R7B has in common with it.</summary>
    internal static ModelConfig Read(Architecture architecture, ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var defaults = new ConfigDefaults
        {
            NormEpsilon = 1e-5,
            TieWordEmbeddings = true,
            MaxPositionEmbeddings = 8192,
            InterleavedRotary = true,
        };
        return ModelConfig.ReadCommonFields(architecture, json.WithAliases(("rms_norm_eps", "layer_norm_eps")), defaults) with
        {
            Norm = NormKind.BiaslessLayer,
            Wiring = LayerWiring.Parallel,
            LogitScale = (float)(json.OptionalPositive("logit_scale", MaxScale) ?? 0.0625),
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
        };
    }
}
