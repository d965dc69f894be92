using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Mixtral: Mistral with a mixture of experts in every layer; a token's weights are the softmax over its chosen experts.
/// HF modeling_mixtral.py.</summary>
internal sealed class Mixtral : Architecture
{
    public override string Name => "MixtralForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        Router = "block_sparse_moe.gate",
        ExpertPrefix = "block_sparse_moe.experts.",
        ExpertGateUp = ["w1", "w3"],
        ExpertDown = "w2",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        var config = ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5 });
        return config with
        {
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, _ => true),
            Moe = MoeConfig.Read(json, config.IntermediateSize, new ExpertRouting(ExpertScoring.SoftmaxOfChosen)),
        };
    }
}
