using static Cluster.Operator.Reconciling.Sizing.ModelFamily;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Families of before Llama: LayerNorm, plain MLPs, and names of their own for everything. Part of
/// <see cref="ModelFamilies"/>.</summary>
internal static class ClassicFamilies
{
    private static readonly Dictionary<string, string[]> Gpt2Names = new()
    {
        ["hidden_size"] = ["n_embd"],
        ["num_attention_heads"] = ["n_head"],
        ["num_hidden_layers"] = ["n_layer"],
        ["intermediate_size"] = ["n_inner"],
        ["max_position_embeddings"] = ["n_positions"],
    };

    public static ModelFamily Bloom { get; } = new()
    {
        Aliases = new Dictionary<string, string[]>
        {
            ["hidden_size"] = ["n_embed"],
            ["num_attention_heads"] = ["n_head"],
            ["num_hidden_layers"] = ["n_layer"],
            ["intermediate_size"] = ["n_inner"],
            ["max_position_embeddings"] = ["seq_length"],
        },
        Defaults = new Dictionary<string, int> { ["max_position_embeddings"] = 2048 },
        IntermediateRatio = 4,
        NormBias = true,
        EmbeddingNorm = true,
        QkvBias = Always,
        AttentionOutputBias = Always,
        MlpBias = Always,
        GatedMlp = false,
        TiedByDefault = true,
    };

    public static ModelFamily Opt { get; } = new()
    {
        Aliases = new Dictionary<string, string[]> { ["intermediate_size"] = ["ffn_dim"] },
        NormBias = true,
        QkvBias = Always,
        AttentionOutputBias = Always,
        MlpBias = Always,
        GatedMlp = false,
        TiedByDefault = true,
        LearnedPositions = positions => positions + 2,
    };

    public static ModelFamily Phi { get; } = new()
    {
        Norms = _ => 1,
        NormBias = true,
        QkvBias = Always,
        AttentionOutputBias = Always,
        MlpBias = Always,
        HeadBias = Always,
        GatedMlp = false,
    };

    public static ModelFamily Gpt2 { get; } = new()
    {
        Aliases = Gpt2Names,
        IntermediateRatio = 4,
        NormBias = true,
        QkvBias = Always,
        AttentionOutputBias = Always,
        MlpBias = Always,
        GatedMlp = false,
        TiedByDefault = true,
        LearnedPositions = positions => positions,
    };

    public static ModelFamily GptJ { get; } = new()
    {
        Aliases = Gpt2Names,
        IntermediateRatio = 4,
        Norms = _ => 1,
        NormBias = true,
        MlpBias = Always,
        HeadBias = Always,
        GatedMlp = false,
    };

    public static ModelFamily GptNeoX { get; } = new()
    {
        NormBias = true,
        QkvBias = Bias("attention_bias", true),
        AttentionOutputBias = Bias("attention_bias", true),
        MlpBias = Always,
        GatedMlp = false,
    };

    public static ModelFamily Falcon { get; } = new()
    {
        Aliases = new Dictionary<string, string[]>
        {
            ["num_attention_heads"] = ["n_head"],
            ["num_hidden_layers"] = ["n_layer"],
            ["num_kv_heads"] = ["n_head_kv"],
            ["intermediate_size"] = ["ffn_hidden_size"],
        },
        Defaults = new Dictionary<string, int> { ["max_position_embeddings"] = 2048 },
        IntermediateRatio = 4,

        // The first layout has one KV head or as many as queries; the second says how many.
        KvHeads = f => f.Flag("new_decoder_architecture", false) ? f.Optional(1, ModelFields.MostHeads, "num_kv_heads")
            : f.Flag("multi_query", true) ? 1 : null,
        Norms = f => f.Flag("new_decoder_architecture", false) ? f.Optional(1, 2, "num_ln_in_parallel_attn") ?? 2
            : f.Flag("parallel_attn", true) ? 1 : 2,
        NormBias = true,
        QkvBias = Bias("bias"),
        AttentionOutputBias = Bias("bias"),
        MlpBias = Bias("bias"),
        GatedMlp = false,
        TiedByDefault = true,
    };

    public static ModelFamily Mpt { get; } = new()
    {
        Aliases = new Dictionary<string, string[]>
        {
            ["hidden_size"] = ["d_model"],
            ["num_attention_heads"] = ["n_heads"],
            ["num_hidden_layers"] = ["n_layers"],
            ["max_position_embeddings"] = ["max_seq_len"],
        },
        IntermediateRatio = 4,
        GatedMlp = false,
        TiedByDefault = true,
    };
}
