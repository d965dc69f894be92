using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>gpt-oss: attention sinks, every other layer with a sliding window, biases everywhere, experts in three tensors with a clamped
/// non-linearity. HF modeling_gpt_oss.py.</summary>
internal sealed class GptOss : Architecture
{
    private const double MaxLimit = 1 << 20;

    public override string Name => "GptOssForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        Router = "mlp.router",
        ExpertLayout = ExpertLayout.Interleaved,
        ExpertGateUp = ["mlp.experts.gate_up_proj"],
        ExpertDown = "mlp.experts.down_proj",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", true);
        var config = ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5, RopeTheta = 150_000 });
        return config with
        {
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            AttentionSinks = true,
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, layer => layer % 2 == 0),
            Moe = MoeConfig.Read(
                json.WithAliases(("num_experts_per_tok", "experts_per_token")), config.IntermediateSize,
                new ExpertRouting(ExpertScoring.SoftmaxOfChosen)) with
            {
                RouterBias = true,
                ExpertBias = true,
                ActivationLimit = (float)(json.OptionalPositive("swiglu_limit", MaxLimit) ?? 7),
            },
        };
    }
}
