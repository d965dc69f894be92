using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Gemma 1: norms store their weight less one, embeddings are scaled, heads are wide. HF modeling_gemma.py.</summary>
internal sealed class Gemma : Architecture
{
    public override string Name => "GemmaForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("use_bidirectional_attention", supported: false, fallback: false);
        var attentionBias = json.Boolean("attention_bias", false);

        // hidden_act of the first checkpoints says gelu, where tanh's approximation is meant; hidden_activation was added to say so.
        var config = ModelConfig.ReadCommonFields(
            this, json,
            new() { ActivationField = "hidden_activation", Activation = Compute.Activation.GeluTanh, TieWordEmbeddings = true });
        return config with
        {
            NormWeightOffset = 1,
            EmbeddingScale = MathF.Sqrt(config.HiddenSize),
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
        };
    }
}
