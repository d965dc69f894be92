using System.Collections.Frozen;
using static Cluster.Operator.Reconciling.Sizing.ModelFamily;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Every <c>model_type</c> whose memory is known. Read by <see cref="ModelFields"/>.</summary>
internal static class ModelFamilies
{
    private static readonly ModelFamily Llama = new()
    {
        QkvBias = Bias("attention_bias"),
        AttentionOutputBias = Bias("attention_bias"),
        MlpBias = Bias("mlp_bias"),
    };

    private static readonly ModelFamily Mistral = new() { Windows = AttentionWindows.Everywhere };

    private static readonly ModelFamily Qwen2 = new() { QkvBias = Always, Windows = AttentionWindows.OfQwen };

    private static readonly ModelFamily Qwen3 = new()
    {
        QkvBias = Bias("attention_bias"),
        AttentionOutputBias = Bias("attention_bias"),
        QueryKeyNorm = QueryKeyNorms.SharedByHeads,
        Windows = AttentionWindows.OfQwen,
    };

    private static readonly ModelFamily Gemma = new()
    {
        QkvBias = Bias("attention_bias"),
        AttentionOutputBias = Bias("attention_bias"),
        TiedByDefault = true,
    };

    private static readonly ModelFamily Gemma2 = Gemma with { Norms = _ => 4, Windows = AttentionWindows.Every(2) };

    private static readonly ModelFamily Gemma3 = Gemma with
    {
        Norms = _ => 4,
        QueryKeyNorm = QueryKeyNorms.SharedByHeads,
        Windows = AttentionWindows.Every(6),

        // Gemma's own configurations leave out whatever is so.
        Defaults = new Dictionary<string, int>
        {
            ["head_dim"] = 256,
            ["num_attention_heads"] = 8,
            ["num_key_value_heads"] = 4,
            ["vocab_size"] = 262208,
            ["max_position_embeddings"] = 131072,
            ["sliding_window"] = 4096,
        },
        KvHeads = f => f.Number(ModelFields.MostHeads, null, "num_key_value_heads"),
    };

    private static readonly ModelFamily Phi3 = new()
    {
        Windows = AttentionWindows.Everywhere,
        Names = new LayerNames { Gate = "gate_up_proj", Up = "gate_up_proj" },
    };

    private static readonly ModelFamily Cohere = new()
    {
        Norms = _ => 1,
        QkvBias = Bias("attention_bias"),
        AttentionOutputBias = Bias("attention_bias"),
        QueryKeyNorm = QueryKeyNorms.AllHeads,
        HasQueryKeyNorm = Bias("use_qk_norm"),
        TiedByDefault = true,
    };

    private static readonly ModelFamily Olmo2 = new()
    {
        QkvBias = Bias("attention_bias"),
        AttentionOutputBias = Bias("attention_bias"),
        QueryKeyNorm = QueryKeyNorms.AllHeads,
    };

    private static readonly ModelFamily DeepSeek = new()
    {
        QkvBias = Bias("attention_bias"),
        AttentionOutputBias = Bias("attention_bias"),
        Latent = true,
        Experts = (f, layers) => ExpertReader.OfDeepSeek(f, layers, denseFirst: 3, correction: true),
    };

    private static readonly ModelFamily Llama4 = new()
    {
        // intermediate_size is that of an expert.
        DenseIntermediate = "intermediate_size_mlp",
        QkvBias = Bias("attention_bias"),
        AttentionOutputBias = Bias("attention_bias"),
        Experts = ExpertReader.OfLlama4,
        Windows = AttentionWindows.OfLlama4,
        Names = new LayerNames { Mlp = "feed_forward", Experts = "feed_forward.experts", Shared = "feed_forward.shared_expert" },
    };

    private static readonly LayerNames MixtralNames = new() { Experts = "block_sparse_moe.experts", Gate = "w1", Down = "w2", Up = "w3" };

    private static readonly FrozenDictionary<string, ModelFamily> Known = new Dictionary<string, ModelFamily>
    {
        ["llama"] = Llama,
        ["Yi"] = Llama,
        ["mistral"] = Mistral,
        ["ministral3"] = Mistral,
        ["mixtral"] = Mistral with { Experts = ExpertReader.InEveryLayer, Names = MixtralNames },
        ["qwen2"] = Qwen2,
        ["qwen2_5_vl"] = Qwen2,
        ["qwen2_5_vl_text"] = Qwen2,
        ["qwen2_moe"] = Qwen2 with
        {
            QkvBias = Bias("qkv_bias", true),
            Experts = ExpertReader.OfQwen2,
            Names = new LayerNames { Shared = "mlp.shared_expert" },
        },
        ["qwen3"] = Qwen3,
        ["qwen3_moe"] = Qwen3 with { Experts = ExpertReader.OfQwen3 },
        ["gemma"] = Gemma,
        ["gemma2"] = Gemma2,
        ["gemma3_text"] = Gemma3,
        ["phi"] = ClassicFamilies.Phi,
        ["phi3"] = Phi3,
        ["phimoe"] = new()
        {
            NormBias = true,
            QkvBias = Bias("attention_bias"),
            AttentionOutputBias = Bias("attention_bias"),
            HeadBias = Bias("lm_head_bias"),
            Experts = ExpertReader.InEveryLayer,
            Windows = AttentionWindows.Everywhere,
            Names = MixtralNames,
        },
        ["bloom"] = ClassicFamilies.Bloom,
        ["opt"] = ClassicFamilies.Opt,
        ["gpt2"] = ClassicFamilies.Gpt2,
        ["gpt_bigcode"] = ClassicFamilies.Gpt2 with { KvHeads = f => f.Flag("multi_query", true) ? 1 : null },
        ["gptj"] = ClassicFamilies.GptJ,
        ["gpt_neox"] = ClassicFamilies.GptNeoX,
        ["falcon"] = ClassicFamilies.Falcon,
        ["mpt"] = ClassicFamilies.Mpt,
        ["gpt_oss"] = new()
        {
            QkvBias = Bias("attention_bias", true),
            AttentionOutputBias = Bias("attention_bias", true),
            LayerExtras = heads => heads,
            Experts = (f, layers) => ExpertReader.InEveryLayer(f, layers) with { Biases = true },
            Windows = AttentionWindows.Every(2),
        },
        ["deepseek_v2"] = DeepSeek with { Experts = (f, layers) => ExpertReader.OfDeepSeek(f, layers, denseFirst: 0, correction: false) },
        ["deepseek_v3"] = DeepSeek,
        ["kimi_k2"] = DeepSeek,
        ["llama4_text"] = Llama4,
        ["glm4"] = new() { Norms = _ => 4, QkvBias = Bias("attention_bias"), Names = Phi3.Names },
        ["glm4_moe"] = new()
        {
            QkvBias = Bias("attention_bias"),
            QueryKeyNorm = QueryKeyNorms.SharedByHeads,
            HasQueryKeyNorm = Bias("use_qk_norm"),
            Experts = (f, layers) => ExpertReader.OfDeepSeek(f, layers, denseFirst: 1, correction: true),
        },
        ["dots1"] = Qwen3 with
        {
            Windows = AttentionWindows.OfDots,
            Experts = (f, layers) => ExpertReader.OfDeepSeek(f, layers, denseFirst: 0, correction: true),
        },
        ["minimax_m2"] = new()
        {
            QueryKeyNorm = QueryKeyNorms.AllHeads,
            HasQueryKeyNorm = Bias("use_qk_norm", true),
            Experts = (f, layers) => ExpertReader.InEveryLayer(f, layers) with { Correction = true },
            Names = MixtralNames,
        },
        ["olmo2"] = Olmo2,
        ["olmo3"] = Olmo2 with { Windows = AttentionWindows.Every(4) },
        ["olmoe"] = Olmo2 with { Experts = ExpertReader.InEveryLayer },
        ["granite"] = Llama,
        ["granitemoe"] = Llama with { Experts = ExpertReader.InEveryLayer },
        ["cohere"] = Cohere,
        ["cohere2"] = Cohere with { QueryKeyNorm = QueryKeyNorms.None, Windows = AttentionWindows.Every(4) },
        ["smollm3"] = Llama with { TiedByDefault = true, Windows = AttentionWindows.OfQwen },
        ["starcoder2"] = new()
        {
            NormBias = true,
            QkvBias = Bias("use_bias", true),
            AttentionOutputBias = Bias("use_bias", true),
            MlpBias = Bias("use_bias", true),
            GatedMlp = false,
            TiedByDefault = true,
            Windows = AttentionWindows.Everywhere,
        },
        ["stablelm"] = new()
        {
            Norms = f => f.Flag("use_parallel_residual", false) ? 1 : 2,
            NormBias = true,
            QkvBias = Bias("use_qkv_bias"),
            QueryKeyNorm = QueryKeyNorms.AllHeads,
            HasQueryKeyNorm = Bias("qk_layernorm"),
        },
        ["ernie4_5"] = Ernie(),
        ["ernie4_5_moe"] = Ernie() with { Experts = ExpertReader.OfErnie },
        ["exaone4"] = new() { QueryKeyNorm = QueryKeyNorms.SharedByHeads, Windows = AttentionWindows.Every(4) },
        ["seed_oss"] = new()
        {
            QkvBias = Bias("attention_bias", true),
            AttentionOutputBias = Bias("attention_out_bias"),
            MlpBias = Bias("mlp_bias"),
        },
        ["hunyuan_v1_dense"] = Llama with { QueryKeyNorm = QueryKeyNorms.SharedByHeads, MlpBias = Never },
        ["nemotron"] = Llama with { NormBias = true, GatedMlp = false },
        ["arcee"] = Llama with { GatedMlp = false },
        ["apertus"] = Llama with
        {
            QueryKeyNorm = QueryKeyNorms.SharedByHeads,
            MlpBias = Never,
            GatedMlp = false,
            LayerExtras = _ => 4, // xIELU's parameters.
        },
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Multimodal checkpoints with the text model in <c>text_config</c>, and what that is where it does not say. Those of one name
    /// with their text model may have its fields at the top as well.</summary>
    public static FrozenDictionary<string, string> Wrappers { get; } = new Dictionary<string, string>
    {
        ["gemma3"] = "gemma3_text",
        ["llama4"] = "llama4_text",
        ["mistral3"] = "mistral",
        ["qwen2_5_vl"] = "qwen2_5_vl",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <exception cref="ModelConfigException">There is none of this name.</exception>
    public static ModelFamily Of(string type) => Known.TryGetValue(type, out var family)
        ? family
        : throw new ModelConfigException(
            $"config.json: model_type '{type}' is none whose memory is known; supported: "
            + string.Join(", ", Known.Keys.Union(Wrappers.Keys).Order(StringComparer.Ordinal)));

    private static ModelFamily Ernie() => new()
    {
        QkvBias = Bias("use_bias"),
        AttentionOutputBias = Bias("use_bias"),
        MlpBias = Bias("use_bias"),
        TiedByDefault = true,
    };
}
