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

    public static IEnumerable<string> Names => Models.Keys;

    public static long Parameters(string name) => Models[name].Parameters;

    /// <param name="name">With <c> FP8</c> at its end for the quantized checkpoint.</param>
    public static JsonObject Config(string name)
    {
        var fp8 = name.EndsWith(" FP8", StringComparison.Ordinal);
        return JsonNode.Parse($"{{{Models[fp8 ? name[..^4] : name].Config}{(fp8 ? Fp8 : "")}}}")!.AsObject();
    }

    public static ModelShape Shape(string name) => ModelShapeReader.Read(Config(name));
}
