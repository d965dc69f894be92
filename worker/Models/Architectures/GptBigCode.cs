using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>GPT-BigCode (StarCoder, SantaCoder): GPT-2 with one key/value head and linear layers stored as everyone's. HF
/// modeling_gpt_bigcode.py.</summary>
internal sealed class GptBigCode : Architecture
{
    public override string Name => "GPTBigCodeForCausalLM";

    public override WeightNames WeightNames { get; } = Gpt2.Names("transformer.");

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("scale_attn_weights", supported: true, fallback: true);
        json.Require("add_cross_attention", supported: false, fallback: false);
        var config = ModelConfig.ReadCommonFields(this, Gpt2.Named(json), Gpt2.Defaults);
        var isMultiQuery = json.Boolean("multi_query", true);
        return config with
        {
            NumKvHeads = isMultiQuery ? 1 : config.NumHeads,
            Norm = NormKind.Layer,
            LearnedPositionOffset = 0,
            QkvLayout = isMultiQuery ? QkvLayout.Stacked : QkvLayout.ByGroup,
            GatedMlp = false,
            QkvBias = true,
            AttentionOutputBias = true,
            MlpBias = true,
        };
    }

    public override bool IsIgnorable(string tensor, ModelConfig config) => IsCausalMask(tensor) || base.IsIgnorable(tensor, config);
}
