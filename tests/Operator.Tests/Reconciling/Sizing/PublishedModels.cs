using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

/// <summary>What the public config.json of well-known models says, as far as memory follows from it, and the number of parameters
/// that their publishers state.</summary>
internal static class PublishedModels
{
    private const string Llama =
        """ "model_type": "llama", "torch_dtype": "bfloat16", "vocab_size": 128256, "num_key_value_heads": 8, "max_position_embeddings": 131072, """;
    private const string Fp8 = """, "quantization_config": {"quant_method": "compressed-tensors", "format": "float-quantized"}""";

    private const string Fp8Blocks =
        """, "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}""";
    private const string Mxfp4 =
        """, "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}""";
    private const string DeepSeek =
        """ "torch_dtype": "bfloat16", "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048, "num_hidden_layers": 61, "n_shared_experts": 1, "moe_layer_freq": 1, "num_experts_per_tok": 8, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "tie_word_embeddings": false, "num_nextn_predict_layers": 1, """;
    private const string DeepSeekV3 =
        """ "model_type": "deepseek_v3", "vocab_size": 129280, "num_attention_heads": 128, "num_key_value_heads": 128, "n_routed_experts": 256, "first_k_dense_replace": 3, "max_position_embeddings": 163840, """
        + DeepSeek + """ "n_group": 8""" + Fp8Blocks;
    private const string GptOss =
        """ "model_type": "gpt_oss", "vocab_size": 201088, "hidden_size": 2880, "intermediate_size": 2880, "head_dim": 64, "num_attention_heads": 64, "num_key_value_heads": 8, "num_experts_per_tok": 4, "sliding_window": 128, "max_position_embeddings": 131072, "attention_bias": true, "tie_word_embeddings": false, """;
    private const string Llama4 =
        """ "model_type": "llama4", "torch_dtype": "bfloat16", "vision_config": {"model_type": "llama4_vision_model"}, "text_config": {"model_type": "llama4_text", "vocab_size": 202048, "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384, "head_dim": 128, "num_attention_heads": 40, "num_key_value_heads": 8, "num_hidden_layers": 48, "num_experts_per_tok": 1, "attention_chunk_size": 8192, "no_rope_layers": [], "attention_bias": false, "tie_word_embeddings": false, """;
    private const string Maverick =
        Llama4 + """ "num_local_experts": 128, "interleave_moe_layer_step": 2, "max_position_embeddings": 1048576}""";
    private const string Glm45 =
        """ "model_type": "glm4_moe", "torch_dtype": "bfloat16", "vocab_size": 151552, "head_dim": 128, "num_attention_heads": 96, "num_key_value_heads": 8, "n_shared_experts": 1, "num_experts_per_tok": 8, "attention_bias": true, "max_position_embeddings": 131072, "num_nextn_predict_layers": 1, "tie_word_embeddings": false, """;
    private const string Qwen3Large =
        """ "model_type": "qwen3_moe", "torch_dtype": "bfloat16", "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 12288, "moe_intermediate_size": 1536, "num_experts": 128, "num_experts_per_tok": 8, "num_attention_heads": 64, "num_key_value_heads": 4, "head_dim": 128, "num_hidden_layers": 94, "decoder_sparse_step": 1, "mlp_only_layers": [], "max_position_embeddings": 40960, "tie_word_embeddings": false""";

    /// <summary>Those of this year, whose publishers state round numbers. Towers of multimodal ones are stated apart.</summary>
    private static readonly Dictionary<string, (string Config, double Billions, double Tower)> Recent = new(StringComparer.Ordinal)
    {
        ["DeepSeek-V3"] = (DeepSeekV3, 671, 0),
        ["DeepSeek-R1"] = (DeepSeekV3, 671, 0),
        ["Kimi-K2"] = (
            """ "model_type": "kimi_k2", "vocab_size": 163840, "num_attention_heads": 64, "num_key_value_heads": 64, "n_routed_experts": 384, "first_k_dense_replace": 1, "max_position_embeddings": 131072, """
            + DeepSeek + """ "n_group": 1""" + Fp8Blocks, 1030, 0),
        ["gpt-oss-20b"] = (GptOss + """ "num_hidden_layers": 24, "num_local_experts": 32""" + Mxfp4, 20.9, 0),
        ["gpt-oss-120b"] = (GptOss + """ "num_hidden_layers": 36, "num_local_experts": 128""" + Mxfp4, 116.8, 0),
        ["Llama-4-Scout"] = (
            Llama4 + """ "num_local_experts": 16, "interleave_moe_layer_step": 1, "max_position_embeddings": 10485760}""", 109, 0.87),
        ["Llama-4-Maverick"] = (Maverick, 400, 0.87),
        ["Llama-4-Maverick-FP8"] = (
            Maverick + """, "quantization_config": {"quant_method": "compressed-tensors", "format": "float-quantized", "ignore": ["re:.*self_attn.*", "re:.*router.*", "re:.*shared_expert.*", "re:.*feed_forward\\.(gate|up|down)_proj.*", "re:.*lm_head.*", "re:vision_model.*"]}""", 400, 0.87),
        ["Qwen3-235B-A22B"] = (Qwen3Large, 235, 0),
        ["Qwen3-235B-A22B-FP8"] = (Qwen3Large + Fp8Blocks, 235, 0),
        ["GLM-4.5"] = (
            Glm45 + """ "hidden_size": 5120, "intermediate_size": 12288, "moe_intermediate_size": 1536, "num_hidden_layers": 92, "n_routed_experts": 160, "first_k_dense_replace": 3, "use_qk_norm": true""", 355, 0),
        ["GLM-4.5-Air"] = (
            Glm45 + """ "hidden_size": 4096, "intermediate_size": 10944, "moe_intermediate_size": 1408, "num_hidden_layers": 46, "n_routed_experts": 128, "first_k_dense_replace": 1, "use_qk_norm": false""", 106, 0),
        ["MiniMax-M2"] = (
            """ "model_type": "minimax_m2", "torch_dtype": "bfloat16", "vocab_size": 200064, "hidden_size": 3072, "intermediate_size": 1536, "mlp_intermediate_size": 8192, "head_dim": 128, "num_attention_heads": 48, "num_key_value_heads": 8, "num_hidden_layers": 62, "num_local_experts": 256, "num_experts_per_tok": 8, "max_position_embeddings": 196608, "use_qk_norm": true, "tie_word_embeddings": false"""
            + Fp8Blocks, 230, 0),
        ["Gemma-3-27B"] = (
            """ "model_type": "gemma3", "torch_dtype": "bfloat16", "vision_config": {"model_type": "siglip_vision_model"}, "text_config": {"model_type": "gemma3_text", "head_dim": 128, "hidden_size": 5376, "intermediate_size": 21504, "num_attention_heads": 32, "num_key_value_heads": 16, "num_hidden_layers": 62, "sliding_window": 1024}""", 27.4, 0.42),
        ["Phi-4"] = (
            """ "model_type": "phi3", "torch_dtype": "bfloat16", "vocab_size": 100352, "hidden_size": 5120, "intermediate_size": 17920, "num_attention_heads": 40, "num_key_value_heads": 10, "num_hidden_layers": 40, "max_position_embeddings": 16384, "sliding_window": null, "tie_word_embeddings": false""", 14.7, 0),
        ["Mistral-Small-3.2"] = (
            """ "model_type": "mistral3", "torch_dtype": "bfloat16", "vision_config": {"model_type": "pixtral"}, "text_config": {"model_type": "mistral", "vocab_size": 131072, "hidden_size": 5120, "intermediate_size": 32768, "head_dim": 128, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 40, "max_position_embeddings": 131072, "sliding_window": null}""", 24, 0.44),
    };

    private static readonly Dictionary<string, (string Config, long Parameters)> Models = new(StringComparer.Ordinal)
    {
        ["Llama-3.1-8B"] = (
            Llama + """ "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32""",
            8_030_261_248),
        ["Llama-3.1-70B"] = (
            Llama + """ "hidden_size": 8192, "intermediate_size": 28672, "num_attention_heads": 64, "num_hidden_layers": 80""",
            70_553_706_496),
        ["Llama-3.1-405B"] = (
            Llama + """ "hidden_size": 16384, "intermediate_size": 53248, "num_attention_heads": 128, "num_hidden_layers": 126""",
            405_853_388_800),
        ["Qwen2-7B"] = (
            """ "model_type": "qwen2", "torch_dtype": "bfloat16", "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4, "num_hidden_layers": 28, "max_position_embeddings": 131072, "tie_word_embeddings": false""", 7_615_616_512),
        ["Yi-34B"] = (
            """ "model_type": "llama", "torch_dtype": "bfloat16", "vocab_size": 64000, "hidden_size": 7168, "intermediate_size": 20480, "num_attention_heads": 56, "num_key_value_heads": 8, "num_hidden_layers": 60, "max_position_embeddings": 4096""", 34_388_917_248),
        ["Mixtral-8x7B"] = (
            """ "model_type": "mixtral", "torch_dtype": "bfloat16", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32, "num_local_experts": 8, "max_position_embeddings": 32768""", 46_702_792_704),
        ["BLOOM-176B"] = (
            """ "model_type": "bloom", "vocab_size": 250880, "n_embed": 14336, "num_attention_heads": 112, "n_layer": 70, "seq_length": 2048""", 176_247_271_424),
        ["Mistral-7B"] = (
            """ "model_type": "mistral", "torch_dtype": "bfloat16", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32, "max_position_embeddings": 32768""", 7_241_732_096),
        ["Qwen3-0.6B"] = (
            """ "model_type": "qwen3", "torch_dtype": "bfloat16", "vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 28, "max_position_embeddings": 40960, "tie_word_embeddings": true""", 596_049_920),
        ["Qwen3-30B-A3B"] = (
            """ "model_type": "qwen3_moe", "torch_dtype": "bfloat16", "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "num_hidden_layers": 48, "decoder_sparse_step": 1, "mlp_only_layers": [], "max_position_embeddings": 40960, "tie_word_embeddings": false""", 30_532_122_624),
        ["Gemma-2-9B"] = (
            """ "model_type": "gemma2", "torch_dtype": "bfloat16", "vocab_size": 256000, "hidden_size": 3584, "intermediate_size": 14336, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256, "num_hidden_layers": 42, "max_position_embeddings": 8192""", 9_241_705_984),
        ["Phi-2"] = (
            """ "model_type": "phi", "torch_dtype": "float16", "vocab_size": 51200, "hidden_size": 2560, "intermediate_size": 10240, "num_attention_heads": 32, "num_key_value_heads": 32, "num_hidden_layers": 32, "max_position_embeddings": 2048, "tie_word_embeddings": false""", 2_779_683_840),
        ["OPT-125M"] = (
            """ "model_type": "opt", "torch_dtype": "float16", "vocab_size": 50272, "hidden_size": 768, "ffn_dim": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "max_position_embeddings": 2048""", 125_239_296),
    };

    public static IEnumerable<string> Names => Models.Keys.Concat(Recent.Keys);

    /// <returns>What is stated, how much of it is a tower that the worker does not load, and whether the statement is exact.</returns>
    public static (long Stated, long Tower, bool IsExact) Parameters(string name) => Models.TryGetValue(name, out var model)
        ? (model.Parameters, 0, true)
        : ((long)(Recent[name].Billions * 1e9), (long)(Recent[name].Tower * 1e9), false);

    /// <param name="name">With <c> FP8</c> at its end for a quantized checkpoint.</param>
    public static JsonObject Config(string name)
    {
        var fp8 = name.EndsWith(" FP8", StringComparison.Ordinal);
        var usual = fp8 ? name[..^4] : name;
        var config = Models.TryGetValue(usual, out var model) ? model.Config : Recent[usual].Config;
        return JsonNode.Parse($"{{{config}{(fp8 ? Fp8 : "")}}}")!.AsObject();
    }

    public static ModelShape Shape(string name) => ModelShapeReader.Read(Config(name));
}
