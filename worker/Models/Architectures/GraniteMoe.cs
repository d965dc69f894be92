using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Granite 3 with a mixture of experts in every layer, stacked in two tensors. HF modeling_granitemoe.py.</summary>
internal sealed class GraniteMoe : Architecture
{
    public override string Name => "GraniteMoeForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        Router = "block_sparse_moe.router.layer",
        ExpertLayout = ExpertLayout.Stacked,
        ExpertGateUp = ["block_sparse_moe.input_linear.weight"],
        ExpertDown = "block_sparse_moe.output_linear.weight",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var config = Granite.Multiplied(ModelConfig.ReadCommonFields(this, json, new()), json);
        return config with
        {
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            Moe = MoeConfig.Read(json, config.IntermediateSize, new ExpertRouting(ExpertScoring.SoftmaxOfChosen)),
        };
    }
}
