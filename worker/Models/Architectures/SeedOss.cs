using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Seed-OSS: Llama with switches of their own for biases of q, k, v and of the attention's output. HF
/// modeling_seed_oss.py.</summary>
internal sealed class SeedOss : Architecture
{
    public override string Name => "SeedOssForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json) => ModelConfig.ReadCommonFields(this, json, new()) with
    {
        QkvBias = json.Boolean("attention_bias", true),
        AttentionOutputBias = json.Boolean("attention_out_bias", false),
        MlpBias = json.Boolean("mlp_bias", false),
    };
}
