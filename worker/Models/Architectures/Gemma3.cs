using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Gemma 3: Gemma 2 with normalized heads and two rotary bases, one for sliding layers, which are all but each sixth.
/// Configurations of multimodal checkpoints leave out what transformers assumes. HF modeling_gemma3.py.</summary>
internal sealed class Gemma3 : Architecture
{
    private const int MaxScalar = 1 << 20;
    private const double MaxTheta = 1e12;

    private static readonly ConfigObject Assumed = ConfigObject.Parse("Gemma3TextConfig", """
        {
            "vocab_size": 262208, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072,
            "rope_theta": 1000000, "query_pre_attn_scalar": 256, "sliding_window": 4096
        }
        """u8.ToArray());

    public override string Name => "Gemma3ForCausalLM";

    public override WeightNames WeightNames => Gemma2.Names;

    public override ModelConfig Read(ConfigObject json)
    {
        json = json.Or(Assumed);
        json.Require("use_bidirectional_attention", supported: false, fallback: false);
        var attentionBias = json.Boolean("attention_bias", false);
        var defaults = new ConfigDefaults
        {
            ActivationField = "hidden_activation",
            Activation = Compute.Activation.GeluTanh,
            TieWordEmbeddings = true,
        };
        var config = ModelConfig.ReadCommonFields(this, json, defaults);
        var pattern = json.OptionalInteger("sliding_window_pattern", 1, ModelConfig.MaxLayers)
            ?? json.OptionalInteger("_sliding_window_pattern", 1, ModelConfig.MaxLayers) ?? 6;
        var (full, sliding) = ReadRopes(json, config, defaults);
        return config with
        {
            NormWeightOffset = 1,
            Wiring = LayerWiring.Sandwich,
            QueryKeyNorm = QueryKeyNorm.PerHead,
            EmbeddingScale = MathF.Sqrt(config.HiddenSize),
            AttentionScale = (float)(1 / Math.Sqrt(json.Positive("query_pre_attn_scalar", MaxScalar))),
            AttentionSoftCap = (float)(json.OptionalPositive("attn_logit_softcapping", MaxScalar) ?? 0),
            LogitSoftCap = (float)(json.OptionalPositive("final_logit_softcapping", MaxScalar) ?? 0),
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, layer => (layer + 1) % pattern != 0),
            Rope = full,
            SlidingRope = sliding,
            StatesScaledLength = true,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
        };
    }

    /// <summary>Since transformers 5 the parameters of each type of layer are an object of their own.</summary>
    private static (RopeParameters Full, RopeParameters Sliding) ReadRopes(ConfigObject json, ModelConfig config, ConfigDefaults defaults)
    {
        RopeParameters Of(ConfigObject? parameters) =>
            RopeParameters.Read(json, parameters, config.HeadDim, config.MaxPositionEmbeddings, defaults);
        var byType = json.OptionalObject("rope_parameters");
        if (byType?.OptionalObject("full_attention") is { } full)
        {
            return (Of(full), Of(byType.OptionalObject("sliding_attention") ?? throw byType.Invalid("sliding_attention", "is missing")));
        }

        var local = json.OptionalPositive("rope_local_base_freq", MaxTheta) ?? 10_000;
        return (config.Rope!, new RopeParameters(local, config.HeadDim, config.MaxPositionEmbeddings, new RopeScaling()));
    }
}
