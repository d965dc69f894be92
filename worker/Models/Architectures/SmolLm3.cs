using System.Collections.Immutable;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>SmolLM 3: Llama without rotation in each fourth layer. HF modeling_smollm3.py.</summary>
internal sealed class SmolLm3 : Architecture
{
    public override string Name => "SmolLM3ForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var config = ModelConfig.ReadCommonFields(this, json, new() { TieWordEmbeddings = true, RopeTheta = 2_000_000 });
        var unrotated = ReadUnrotated(json, config.NumLayers);
        return config with
        {
            UnrotatedLayers = unrotated,
            SlidingWindows = json.Boolean("use_sliding_window", false)
                ? SlidingWindows.Read(json, config.NumLayers, layer => !unrotated.Contains(layer))
                : [],
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            MlpBias = json.Boolean("mlp_bias", false),
        };
    }

    /// <summary>Of <c>no_rope_layers</c>, which says 1 for layers that do rotate, or each layer of an interval.</summary>
    internal static ImmutableArray<int> ReadUnrotated(ConfigObject json, int numLayers)
    {
        var rotated = json.Switches("no_rope_layers", numLayers);
        var interval = json.OptionalInteger("no_rope_layer_interval", 1, ModelConfig.MaxLayers) ?? 4;
        return [.. Enumerable.Range(0, numLayers).Where(layer => rotated.IsEmpty ? (layer + 1) % interval == 0 : !rotated[layer])];
    }
}
