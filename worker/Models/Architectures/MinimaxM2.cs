using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>MiniMax M2: experts in every layer by corrected sigmoids, queries and keys normalized over all heads, heads rotated in part.
/// HF modeling_minimax_m2.py.</summary>
internal sealed class MinimaxM2 : Architecture
{
    public override string Name => "MiniMaxM2ForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        Router = "block_sparse_moe.gate",
        RoutingCorrection = "block_sparse_moe.e_score_correction_bias",
        ExpertPrefix = "block_sparse_moe.experts.",
        ExpertGateUp = ["w1", "w3"],
        ExpertDown = "w2",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        var defaults = new ConfigDefaults { RopeTheta = 5_000_000, PartialRotaryFactor = ReadRotaryShare(json) };
        var config = ModelConfig.ReadCommonFields(this, json, defaults);
        RefuseOthers(json, config.NumLayers);
        var routing = new ExpertRouting(DeepseekExperts.ReadScoring(json, "sigmoid")) { Normalize = true };
        return config with
        {
            QueryKeyNorm = json.Boolean("use_qk_norm", true) ? QueryKeyNorm.AllHeads : QueryKeyNorm.None,
            Moe = MoeConfig.Read(json, config.IntermediateSize, routing) with
            {
                Correction = json.Boolean("use_routing_bias", true) ? RoutingCorrection.Vector : RoutingCorrection.None,
            },
        };
    }

    /// <summary>The model's own code has <c>rotary_dim</c>; transformers turns it into a share.</summary>
    private static double ReadRotaryShare(ConfigObject json) =>
        json.OptionalInteger("rotary_dim", 1, ModelConfig.MaxFeatures) is { } rotated
        && json.OptionalInteger("head_dim", 1, ModelConfig.MaxFeatures) is { } headDim
            ? Math.Min(1, (double)rotated / headDim)
            : 1;

    /// <summary>What MiniMax's other models have: layers of linear attention, another norm, shared experts.</summary>
    private static void RefuseOthers(ConfigObject json, int numLayers)
    {
        if (json.Switches("attn_type_list", numLayers).Contains(false))
        {
            throw json.Invalid("attn_type_list", "has 0, linear attention; only 1 is supported");
        }

        json.RequireOneOf("qk_norm_type", "per_layer");

        if (json.OptionalInteger("shared_intermediate_size", 0, ModelConfig.MaxFeatures) is { } shared and > 0)
        {
            throw json.Invalid("shared_intermediate_size", $"is {shared}; only 0 is supported");
        }
    }
}
