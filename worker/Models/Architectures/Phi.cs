using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Phi 1 to 2: attention and MLP share one input norm, part of each head is rotated, and everything has a bias, the output layer
/// included. HF modeling_phi.py.</summary>
internal sealed class Phi : Architecture
{
    public override string Name => "PhiForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        FinalNorm = "model.final_layernorm",
        AttentionOutput = "self_attn.dense",
        Up = "mlp.fc1",
        Down = "mlp.fc2",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("qk_layernorm", supported: false, fallback: false);
        json.Require("tie_word_embeddings", supported: false, fallback: false);
        var defaults = new ConfigDefaults { Activation = Compute.Activation.GeluTanh, NormEpsilon = 1e-5, PartialRotaryFactor = 0.5 };
        return ModelConfig.ReadCommonFields(this, json.WithAliases(("rms_norm_eps", "layer_norm_eps")), defaults) with
        {
            Norm = NormKind.Layer,
            Wiring = LayerWiring.Parallel,
            GatedMlp = false,
            QkvBias = true,
            AttentionOutputBias = true,
            MlpBias = true,
            OutputBias = true,
        };
    }
}
