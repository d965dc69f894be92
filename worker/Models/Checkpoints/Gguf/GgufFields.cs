using System.Text.Json.Nodes;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Fields of config.json that some architectures have beyond <see cref="GgufConfig.WriteCommonFields"/>. Listed by
/// <see cref="GgufArchitecture"/>.</summary>
internal static class GgufFields
{
    private const string LongFactors = "rope_factors_long.weight";
    private const string ShortFactors = "rope_factors_short.weight";

    /// <summary>One name for three: experts or a sliding window tell which.</summary>
    public static string LlamaOrMistral(GgufConfig config) => config.Integer("expert_count") is > 0 ? "MixtralForCausalLM"
        : config.Integer("attention.sliding_window") is > 0 ? "MistralForCausalLM"
        : "LlamaForCausalLM";

    public static void Llama(GgufConfig config)
    {
        WriteBiases(config);
        WriteExperts(config, "num_local_experts");
        config.CopyInteger("sliding_window", "attention.sliding_window");
    }

    public static void Qwen3Moe(GgufConfig config)
    {
        WriteExperts(config, "num_experts");
        config.CopyInteger("moe_intermediate_size", "expert_feed_forward_length");
        config.Json["intermediate_size"] ??= config.Required("expert_feed_forward_length");
        config.Json["norm_topk_prob"] = true;
    }

    public static void Gemma2(GgufConfig config)
    {
        WriteGemma(config, layersOf27B: 46);
        config.CopyNumber("attn_logit_softcapping", "attn_logit_softcapping");
        config.CopyNumber("final_logit_softcapping", "final_logit_softcapping");
    }

    public static void Gemma3(GgufConfig config)
    {
        WriteGemma(config, layersOf27B: 62);
        config.Json["rope_local_base_freq"] = config.Number("rope.freq_base_swa") ?? 10_000;
        config.Json["sliding_window_pattern"] = config.Integer("attention.sliding_window_pattern") ?? 6;
    }

    public static void Phi3(GgufConfig config)
    {
        config.CopyInteger("sliding_window", "attention.sliding_window");
        var original = config.Integer("rope.scaling.original_context_length");
        if (config.Factors(LongFactors) is not { } factors)
        {
            return;
        }

        var scaling = new JsonObject
        {
            ["rope_type"] = "longrope",
            ["long_factor"] = new JsonArray([.. factors.Select(factor => (JsonNode)factor)]),
            ["short_factor"] = new JsonArray([.. (config.Factors(ShortFactors) ?? factors).Select(factor => (JsonNode)factor)]),
        };
        if (original is not null)
        {
            scaling["original_max_position_embeddings"] = original;
        }

        if (config.Number("rope.scaling.attn_factor") is { } attention)
        {
            scaling["attention_factor"] = attention;
        }

        config.Json["rope_scaling"] = scaling;
    }

    public static void Granite(GgufConfig config)
    {
        WriteBiases(config);
        config.CopyNumber("embedding_multiplier", "embedding_scale");
        config.CopyNumber("attention_multiplier", "attention.scale");
        config.CopyNumber("residual_multiplier", "residual_scale");
        config.CopyNumber("logits_scaling", "logit_scale");
    }

    public static void Starcoder2(GgufConfig config)
    {
        config.Json["use_bias"] = config.HasTensor("blk.0.attn_q.bias");
        config.CopyInteger("sliding_window", "attention.sliding_window");
    }

    public static void StableLm(GgufConfig config)
    {
        config.Json["use_qkv_bias"] = config.HasTensor("blk.0.attn_q.bias");
        config.Json["use_parallel_residual"] = config.Boolean("use_parallel_residual") ?? !config.HasTensor("blk.0.ffn_norm.weight");
        config.Json["qk_layernorm"] = config.HasTensor("blk.0.attn_q_norm.weight");
    }

    public static void CommandR(GgufConfig config)
    {
        config.CopyNumber("logit_scale", "logit_scale");
        config.Json["use_qk_norm"] = config.HasTensor("blk.0.attn_q_norm.weight");
    }

    private static void WriteBiases(GgufConfig config)
    {
        config.Json["attention_bias"] = config.HasTensor("blk.0.attn_q.bias");
        config.Json["mlp_bias"] = config.HasTensor("blk.0.ffn_up.bias");
    }

    private static void WriteExperts(GgufConfig config, string countField)
    {
        config.CopyInteger(countField, "expert_count");
        config.CopyInteger("num_experts_per_tok", "expert_used_count");
    }

    /// <param name="layersOf27B">By these the largest model is known, which scales by hidden_size / heads: the file does not say
    /// so.</param>
    private static void WriteGemma(GgufConfig config, int layersOf27B)
    {
        config.Json["query_pre_attn_scalar"] = config.Required("block_count") == layersOf27B
            ? config.Required("embedding_length") / config.Required("attention.head_count")
            : config.HeadDim;
        config.CopyInteger("sliding_window", "attention.sliding_window");
    }
}
