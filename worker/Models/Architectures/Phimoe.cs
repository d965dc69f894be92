using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Phi 3.5 MoE: LayerNorm, experts chosen by the sparse mixer, biases on attention and output layer.
/// HF modeling_phimoe.py.</summary>
internal sealed class Phimoe : Architecture
{
    public override string Name => "PhimoeForCausalLM";

    public override IReadOnlyList<string> Aliases => ["PhiMoEForCausalLM"];

    public override WeightNames WeightNames { get; } = new()
    {
        Router = "block_sparse_moe.gate",
        ExpertPrefix = "block_sparse_moe.experts.",
        ExpertGateUp = ["w1", "w3"],
        ExpertDown = "w2",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var config = ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5, RopeTheta = 1_000_000 });
        var routing = new ExpertRouting(ExpertScoring.SparseMixer)
        {
            Jitter = (float)(json.OptionalNumber("router_jitter_noise", 0, 1) ?? 0.01),
        };
        return config with
        {
            Norm = NormKind.Layer,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            OutputBias = json.Boolean("lm_head_bias", false),
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, _ => true),
            Moe = MoeConfig.Read(json, config.IntermediateSize, routing),
        };
    }
}
