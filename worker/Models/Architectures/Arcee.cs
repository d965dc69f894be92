using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Arcee's AFM: Llama with squared ReLU in a plain MLP. HF modeling_arcee.py.</summary>
internal sealed class Arcee : Architecture
{
    public override string Name => "ArceeForCausalLM";

    public override WeightNames WeightNames { get; } = new() { Up = "mlp.up_proj" };

    public override ModelConfig Read(ConfigObject json)
    {
        var attentionBias = json.Boolean("attention_bias", false);
        var defaults = new ConfigDefaults { Activation = Compute.Activation.Relu2, NormEpsilon = 1e-5 };
        return ModelConfig.ReadCommonFields(this, json, defaults) with
        {
            GatedMlp = false,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            MlpBias = json.Boolean("mlp_bias", false),
        };
    }
}
