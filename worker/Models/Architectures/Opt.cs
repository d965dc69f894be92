using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>OPT: learned positions, of whose table the first two rows belong to none, LayerNorm and ReLU. Some checkpoints leave the prefix
/// <c>model.</c> away. HF modeling_opt.py.</summary>
internal sealed class Opt : Architecture
{
    private static readonly WeightNames Bare = Names("decoder.");

    public override string Name => "OPTForCausalLM";

    public override WeightNames WeightNames { get; } = Names("model.decoder.");

    public override WeightNames NamesIn(Predicate<string> has) => has(Bare.Embedding) ? Bare : WeightNames;

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("do_layer_norm_before", supported: true, fallback: true);
        json.Require("_remove_final_layer_norm", supported: false, fallback: false);
        json.Require("layer_norm_elementwise_affine", supported: true, fallback: true);
        var named = json.WithAliases(("intermediate_size", "ffn_dim"));
        var defaults = new ConfigDefaults
        {
            ActivationField = "activation_function",
            Activation = Compute.Activation.Relu,
            NormEpsilon = 1e-5,
            TieWordEmbeddings = true,
            Rotary = false,
        };
        var config = ModelConfig.ReadCommonFields(this, named, defaults);
        var embedding = json.OptionalInteger("word_embed_proj_dim", 1, int.MaxValue) ?? config.HiddenSize;
        if (embedding != config.HiddenSize)
        {
            throw json.Invalid("word_embed_proj_dim", $"is {embedding}; only embeddings of hidden_size {config.HiddenSize} are supported");
        }

        var bias = json.Boolean("enable_bias", true);
        return config with
        {
            Norm = NormKind.Layer,
            LearnedPositionOffset = 2,
            GatedMlp = false,
            QkvBias = bias,
            AttentionOutputBias = bias,
            MlpBias = bias,
        };
    }

    private static WeightNames Names(string prefix) => new()
    {
        Embedding = prefix + "embed_tokens.weight",
        PositionEmbedding = prefix + "embed_positions.weight",
        FinalNorm = prefix + "final_layer_norm",
        LayerPrefix = prefix + "layers.",
        AttentionNorm = "self_attn_layer_norm",
        AttentionOutput = "self_attn.out_proj",
        MlpNorm = "final_layer_norm",
        Up = "fc1",
        Down = "fc2",
    };
}
