using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>StarCoder 2: LayerNorm, biases everywhere, a plain MLP, a sliding window in every layer. HF modeling_starcoder2.py.</summary>
internal sealed class Starcoder2 : Architecture
{
    public override string Name => "Starcoder2ForCausalLM";

    public override WeightNames WeightNames { get; } = new() { Up = "mlp.c_fc", Down = "mlp.c_proj" };

    public override ModelConfig Read(ConfigObject json)
    {
        var bias = json.Boolean("use_bias", true);
        var defaults = new ConfigDefaults { Activation = Compute.Activation.GeluTanh, NormEpsilon = 1e-5, TieWordEmbeddings = true };
        var config = ModelConfig.ReadCommonFields(this, json.WithAliases(("rms_norm_eps", "norm_epsilon")), defaults);
        return config with
        {
            Norm = NormKind.Layer,
            GatedMlp = false,
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, _ => true),
            QkvBias = bias,
            AttentionOutputBias = bias,
            MlpBias = bias,
        };
    }
}
