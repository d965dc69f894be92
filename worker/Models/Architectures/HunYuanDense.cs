using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>HunYuan's dense models: heads are normalized after they are rotated. HF modeling_hunyuan_v1_dense.py.</summary>
internal sealed class HunYuanDense : Architecture
{
    public override string Name => "HunYuanDenseV1ForCausalLM";

    public override WeightNames WeightNames { get; } = new()
    {
        QueryNorm = "self_attn.query_layernorm",
        KeyNorm = "self_attn.key_layernorm",
    };

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("use_qk_norm", supported: true, fallback: true);
        json.Require("use_cla", supported: false, fallback: false);
        json.Require("mlp_bias", supported: false, fallback: false);
        var attentionBias = json.Boolean("attention_bias", false);
        var named = json.WithAliases(("head_dim", "attention_head_dim"));
        return ModelConfig.ReadCommonFields(this, named, new() { NormEpsilon = 1e-5 }) with
        {
            QueryKeyNorm = QueryKeyNorm.AfterRotation,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
        };
    }
}
