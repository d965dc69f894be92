using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>OLMoE: Llama with queries and keys normalized over all heads and a mixture of experts in every layer.
/// HF modeling_olmoe.py.</summary>
internal sealed class Olmoe : Architecture
{
    public override string Name => "OlmoeForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        if (json.OptionalNumber("clip_qkv", double.MinValue, double.MaxValue) is { } clip)
        {
            throw json.Invalid("clip_qkv", $"is {clip}; only null is supported: queries, keys and values are not clipped");
        }

        var attentionBias = json.Boolean("attention_bias", false);
        var config = ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5 });
        var scoring = json.Boolean("norm_topk_prob", false) ? ExpertScoring.SoftmaxOfChosen : ExpertScoring.Softmax;
        return config with
        {
            QueryKeyNorm = QueryKeyNorm.AllHeads,
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
            Moe = MoeConfig.Read(json, config.IntermediateSize, new ExpertRouting(scoring)),
        };
    }
}
