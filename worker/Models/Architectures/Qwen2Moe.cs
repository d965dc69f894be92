using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Qwen 1.5 and 2 with a mixture of experts in most layers, besides which all tokens pass through an MLP that has a gate of its
/// own. HF modeling_qwen2_moe.py.</summary>
internal sealed class Qwen2Moe : Architecture
{
    public override string Name => "Qwen2MoeForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        SharedGateUp = ["mlp.shared_expert.gate_proj", "mlp.shared_expert.up_proj"],
        SharedDown = "mlp.shared_expert.down_proj",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        var config = ModelConfig.ReadCommonFields(this, json, new());
        return config with
        {
            QkvBias = json.Boolean("qkv_bias", true),
            SlidingWindows = Qwen2.ReadWindows(json, config.NumLayers),
            Moe = ReadExperts(json, config.NumLayers) with
            {
                SharedIntermediateSize = json.Integer("shared_expert_intermediate_size", 1, ModelConfig.MaxFeatures),
                SharedGate = true,
            },
        };
    }

    /// <summary>Qwen's mixtures: every so many layers, counted from the one before the first, have experts, but for those that are
    /// named.</summary>
    internal static MoeConfig ReadExperts(ConfigObject json, int numLayers)
    {
        var step = json.OptionalInteger("decoder_sparse_step", 1, ModelConfig.MaxLayers) ?? 1;
        var dense = json.Layers("mlp_only_layers", numLayers);
        var scoring = json.Boolean("norm_topk_prob", false) ? ExpertScoring.SoftmaxOfChosen : ExpertScoring.Softmax;
        return MoeConfig.Read(json, json.Integer("moe_intermediate_size", 1, ModelConfig.MaxFeatures), new ExpertRouting(scoring)) with
        {
            DenseLayers = MoeConfig.Without(numLayers, layer => (layer + 1) % step == 0 && !dense.Contains(layer)),
        };
    }
}
