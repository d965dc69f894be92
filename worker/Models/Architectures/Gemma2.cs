using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Gemma 2: embeddings times √hidden, norms before and after attention and MLP whose weights are stored less 1, soft caps on
/// scores and logits, every other layer with a sliding window. HF modeling_gemma2.py.</summary>
internal sealed class Gemma2 : Architecture
{
    private const int MaxScalar = 1 << 20;

    public override string Name => "Gemma2ForCausalLM";

    public override WeightNames WeightNames => Names;

    /// <summary>Shared with Gemma 3.</summary>
    internal static WeightNames Names { get; } = new()
    {
        AttentionPostNorm = "post_attention_layernorm",
        MlpNorm = "pre_feedforward_layernorm",
        MlpPostNorm = "post_feedforward_layernorm",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("use_bidirectional_attention", supported: false, fallback: false);
        var attentionBias = json.Boolean("attention_bias", false);
        var config = ModelConfig.ReadCommonFields(
            this, json,
            new() { ActivationField = "hidden_activation", Activation = Compute.Activation.GeluTanh, TieWordEmbeddings = true });
        return config with
        {
            NormWeightOffset = 1,
            Wiring = LayerWiring.Sandwich,
            EmbeddingScale = MathF.Sqrt(config.HiddenSize),
            AttentionScale = (float)(1 / Math.Sqrt(json.OptionalPositive("query_pre_attn_scalar", MaxScalar) ?? 256)),
            AttentionSoftCap = (float)(json.OptionalPositive("attn_logit_softcapping", MaxScalar) ?? 0),
            LogitSoftCap = (float)(json.OptionalPositive("final_logit_softcapping", MaxScalar) ?? 0),
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, layer => layer % 2 == 0),
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
        };
    }
}
