using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Llama 4: attention in chunks, but for layers without rotation, which see all and whose queries grow by position; in some layers
/// one expert a token beside a shared one. HF modeling_llama4.py.</summary>
internal sealed class Llama4 : Architecture
{
    private const int MaxInterval = 1 << 28;
    private const int MaxScale = 1 << 20;

    private static readonly WeightNames Fused = new()
    {
        GateUp = ["feed_forward.gate_proj", "feed_forward.up_proj"],
        Down = "feed_forward.down_proj",
        Router = "feed_forward.router",
        ExpertLayout = ExpertLayout.Transposed,
        ExpertGateUp = ["feed_forward.experts.gate_up_proj"],
        ExpertDown = "feed_forward.experts.down_proj",
        SharedGateUp = ["feed_forward.shared_expert.gate_proj", "feed_forward.shared_expert.up_proj"],
        SharedDown = "feed_forward.shared_expert.down_proj",
    };

    private static readonly WeightNames Separate = Fused with
    {
        ExpertLayout = ExpertLayout.Separate,
        ExpertPrefix = "feed_forward.experts.",
        ExpertGateUp = ["gate_proj", "up_proj"],
        ExpertDown = "down_proj",
    };

    public override string Name => "Llama4ForCausalLM";

    public override WeightNames WeightNames => Fused;

    /// <summary>Quantized checkpoints have a linear layer for each expert.</summary>
    public override WeightNames NamesIn(Predicate<string> has) =>
        Enumerable.Range(0, ModelConfig.MaxLayers).Any(layer => has(Fused.InLayer(layer, Fused.ExpertDown))) ? Fused : Separate;

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var defaults = new ConfigDefaults { NormEpsilon = 1e-5, RopeTheta = 500_000, InterleavedRotary = true };
        var config = ModelConfig.ReadCommonFields(this, json, defaults);
        var unrotated = SmolLm3.ReadUnrotated(json, config.NumLayers);
        return config with
        {
            IntermediateSize = json.Integer("intermediate_size_mlp", 1, ModelConfig.MaxFeatures),
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            QueryKeyNorm = json.Boolean("use_qk_norm", true) ? QueryKeyNorm.Weightless : QueryKeyNorm.None,
            UnrotatedLayers = unrotated,
            AttentionChunks = SlidingWindows.ReadChunks(json, config.NumLayers, layer => !unrotated.Contains(layer)),
            QueryScale = json.Truth("attn_temperature_tuning", true) ? ReadTemperature(json) : null,
            Moe = ReadExperts(json, config),
        };
    }

    /// <summary>What scales queries at positions, counted from 1.</summary>
    private static QueryScale ReadTemperature(ConfigObject json) =>
        new(json.OptionalPositive("attn_scale", MaxScale) ?? 0.1, json.OptionalInteger("floor_scale", 1, MaxInterval) ?? 8192)
        {
            Shift = 1,
            UnrotatedOnly = true,
        };

    private static MoeConfig ReadExperts(ConfigObject json, ModelConfig config)
    {
        var step = json.OptionalInteger("interleave_moe_layer_step", 1, ModelConfig.MaxLayers) ?? 1;
        var sparse = json.Layers("moe_layers", config.NumLayers);
        return MoeConfig.Read(json, config.IntermediateSize, new ExpertRouting(ExpertScoring.Sigmoid)) with
        {
            WeighsInputs = true,
            SharedIntermediateSize = config.IntermediateSize,
            DenseLayers = MoeConfig.Without(
                config.NumLayers, layer => json.Has("moe_layers") ? sparse.Contains(layer) : (layer + 1) % step == 0),
        };
    }
}
