using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>GPT-J: attention and MLP side by side on one norm, neighbouring elements rotated with each other, biases in MLP and output
/// layer. HF modeling_gptj.py.</summary>
internal sealed class GptJ : Architecture
{
    public override string Name => "GPTJForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        Embedding = "transformer.wte.weight",
        FinalNorm = "transformer.ln_f",
        LayerPrefix = "transformer.h.",
        AttentionNorm = "ln_1",
        Qkv = ["attn.q_proj", "attn.k_proj", "attn.v_proj"],
        AttentionOutput = "attn.out_proj",
        Up = "mlp.fc_in",
        Down = "mlp.fc_out",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("tie_word_embeddings", supported: false, fallback: false);
        var defaults = new ConfigDefaults
        {
            ActivationField = "activation_function",
            Activation = Compute.Activation.GeluTanh,
            NormEpsilon = 1e-5,
            IntermediateRatio = 4,
            RotaryDim = json.OptionalInteger("rotary_dim", 2, ModelConfig.MaxFeatures) ?? 64,
            InterleavedRotary = true,
        };
        var config = ModelConfig.ReadCommonFields(this, Gpt2.Named(json), defaults);
        if (defaults.RotaryDim > config.HeadDim)
        {
            throw json.Invalid("rotary_dim", $"is {defaults.RotaryDim}; heads have {config.HeadDim} dimensions");
        }

        return config with
        {
            Norm = NormKind.Layer,
            Wiring = LayerWiring.Parallel,
            GatedMlp = false,
            MlpBias = true,
            OutputBias = true,
        };
    }

    public override bool IsIgnorable(string tensor, ModelConfig config) => IsCausalMask(tensor) || base.IsIgnorable(tensor, config);
}
