using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>ERNIE 4.5 with a mixture of experts in a run of layers: softmax corrected for the choice, shared experts.
/// HF modeling_ernie4_5_moe.py.</summary>
internal sealed class Ernie45Moe : Architecture
{
    public override string Name => "Ernie4_5_MoeForCausalLM";

    public override IReadOnlyList<string> Aliases => ["Ernie4_5_MoEForCausalLM"];

    public override WeightNames WeightNames { get; } = new() { RoutingCorrection = "mlp.moe_statics.e_score_correction_bias" };

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("use_bias", supported: false, fallback: false);
        var config = ModelConfig.ReadCommonFields(this, json, Ernie45.Defaults);
        return config with { Moe = ReadExperts(json.WithAliases(("num_experts_per_tok", "moe_k")), config.NumLayers) };
    }

    /// <summary>Layers that predict further tokens are not numbered like others.</summary>
    public override bool IsIgnorable(string tensor, ModelConfig config) =>
        base.IsIgnorable(tensor, config) || tensor.StartsWith("model.mtp_", StringComparison.Ordinal);

    private static MoeConfig ReadExperts(ConfigObject json, int numLayers)
    {
        const int MaxLayer = ModelConfig.MaxLayers;
        var first = json.OptionalInteger("moe_layer_start_index", 0, MaxLayer) ?? 1;
        var last = json.OptionalInteger("moe_layer_end_index", -1, MaxLayer) ?? -1;
        var step = json.OptionalInteger("moe_layer_interval", 1, MaxLayer) ?? 1;
        var size = json.Integer("moe_intermediate_size", 1, ModelConfig.MaxFeatures);
        var routing = new ExpertRouting(ExpertScoring.Softmax)
        {
            Normalize = true,
            MinSum = (float)(json.OptionalPositive("moe_norm_min", 1) ?? 1e-12),
        };
        return MoeConfig.Read(json, size, routing) with
        {
            Correction = RoutingCorrection.Row,
            SharedIntermediateSize = size * (json.OptionalInteger("moe_num_shared_experts", 0, ModelConfig.MaxFeatures / size) ?? 2),
            DenseLayers = MoeConfig.Without(
                numLayers, layer => (layer + 1) % step == 0 && layer >= first && (last < 0 || layer <= last)),
        };
    }
}
