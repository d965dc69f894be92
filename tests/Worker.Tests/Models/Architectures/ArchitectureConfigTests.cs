using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Tests.Models.Architectures;

/// <summary>What the architectures read out of config.json, and what they refuse rather than compute something else.</summary>
public sealed class ArchitectureConfigTests
{
    /// <summary>Golden whose configuration is changed, field, its JSON value (null removes it), what the error must say.</summary>
    public static TheoryData<string, string, string?, string> Wrong { get; } = new()
    {
        { "phi", "qk_layernorm", "true", "'qk_layernorm' is true; only false is supported" },
        { "phi", "tie_word_embeddings", "true", "'tie_word_embeddings' is true; only false is supported" },
        { "phi", "hidden_act", "\"quick_gelu\"", "'hidden_act' is 'quick_gelu'; supported: silu, gelu" },
        { "phi", "partial_rotary_factor", "0.1", "rotates 1 dimensions" },
        { "bloom", "apply_residual_connection_post_layernorm", "true", "'apply_residual_connection_post_layernorm' is true; only false "
            + "is supported" },
        { "bloom", "tie_word_embeddings", "false", "'tie_word_embeddings' is false; only true is supported" },
        { "bloom", "n_head", "0", "'n_head' is 0; expected 1 to 4096" },
        { "bloom", "n_layer", null, "'num_hidden_layers' is missing" },
        { "bloom", "n_head", "6", "'hidden_size' is 64; without head_dim it must be a multiple of num_attention_heads 6" },
        { "opt", "do_layer_norm_before", "false", "'do_layer_norm_before' is false; only true is supported" },
        { "opt", "_remove_final_layer_norm", "true", "'_remove_final_layer_norm' is true; only false is supported" },
        { "opt", "layer_norm_elementwise_affine", "false", "'layer_norm_elementwise_affine' is false; only true is supported" },
        { "opt", "word_embed_proj_dim", "32", "'word_embed_proj_dim' is 32; only embeddings of hidden_size 64 are supported" },
        { "opt", "activation_function", "\"tanh\"", "'activation_function' is 'tanh'; supported: silu, gelu" },
        { "opt", "ffn_dim", "\"wide\"", "'ffn_dim' is \"wide\"; expected a whole number" },
        { "gemma2", "use_bidirectional_attention", "true", "'use_bidirectional_attention' is true; only false is supported" },
        { "gemma2", "hidden_activation", "\"swiglu\"", "'hidden_activation' is 'swiglu'" },
        { "gemma2", "attn_logit_softcapping", "-1", "'attn_logit_softcapping' is -1; expected above 0" },
        { "gemma2", "query_pre_attn_scalar", "0", "'query_pre_attn_scalar' is 0; expected above 0" },
        { "gemma2", "layer_types", "[\"full_attention\"]", "'layer_types' has 1 entries; num_hidden_layers is 3" },
        { "gemma2", "layer_types", "[\"full_attention\",\"chunked_attention\",\"full_attention\"]", "'layer_types' has 'chunked_attention'; supported: full_attention" },
        { "mistral", "sliding_window", "0", "'sliding_window' is 0; expected 1 to" },
        { "mixtral", "num_experts_per_tok", "5", "'num_experts_per_tok' is 5; there are 4 experts" },
        { "mixtral", "num_local_experts", null, "'num_local_experts' is missing" },
        { "qwen3-moe", "moe_intermediate_size", null, "'moe_intermediate_size' is missing" },
        { "qwen3-moe", "decoder_sparse_step", "0", "'decoder_sparse_step' is 0; expected 1 to" },
        { "qwen3-moe", "mlp_only_layers", "[3]", "'mlp_only_layers' is [3]; expected a list of layers from 0 to 2" },
        { "qwen2", "rope_scaling", """{"type":"mrope","mrope_section":[1,2]}""",
            "'rope_scaling.rope_type' is 'mrope'; supported: default" },
    };

    [Theory, MemberData(nameof(Wrong))]
    public void What_would_change_the_result_is_refused_by_name(string golden, string field, string? value, string reason) =>
        Assert.Contains(reason, Assert.Throws<ModelConfigException>(() => Read(golden, (field, value))).Message);

    [Fact]
    public void Mistral_slides_in_every_layer_if_at_all()
    {
        Assert.Equal([16, 16, 16], Read("mistral").SlidingWindows);
        Assert.Equal(0, Read("mistral", ("sliding_window", "null")).SlidingWindow(1));
    }

    [Fact]
    public void Qwen_slides_from_a_layer_on_and_only_when_told()
    {
        Assert.Empty(Read("qwen2", ("sliding_window", "8")).SlidingWindows);
        Assert.Equal(
            [0, 0, 8],
            Read("qwen2", ("sliding_window", "8"), ("use_sliding_window", "true"), ("max_window_layers", "2"),
                ("layer_types", null)).SlidingWindows);
        Assert.Equal([8, 8, 8], Read("qwen3-moe", ("sliding_window", "8"), ("use_sliding_window", "true")).SlidingWindows);
    }

    [Fact]
    public void Gemma2_slides_in_the_layers_it_lists_or_in_every_other()
    {
        Assert.Equal([16, 0, 16], Read("gemma2").SlidingWindows);
        Assert.Equal([16, 0, 16], Read("gemma2", ("layer_types", null)).SlidingWindows);
        Assert.Equal(
            [0, 0, 16], Read("gemma2", ("layer_types", "[\"full_attention\",\"full_attention\",\"sliding_attention\"]")).SlidingWindows);
    }

    [Fact]
    public void Gemma2_scales_and_caps()
    {
        var config = Read("gemma2", ("query_pre_attn_scalar", "144"), ("final_logit_softcapping", "null"));

        Assert.Equal((8f, 1 / 12f, 50f, 0f), (config.EmbeddingScale, config.AttentionScale, config.AttentionSoftCap, config.LogitSoftCap));
        Assert.True(config.PostNorms && config.TieWordEmbeddings && config.NormWeightOffset == 1);
    }

    [Fact]
    public void Constants_can_be_rounded_to_bf16()
    {
        var config = Read("gemma2", ("hidden_size", "3072"));

        Assert.Equal(MathF.Sqrt(3072), config.WithConstantsRoundedTo(DType.F32).EmbeddingScale);
        Assert.Equal(55.5f, config.WithConstantsRoundedTo(DType.BF16).EmbeddingScale);
        Assert.Equal(DType.BF16, config.WithConstantsRoundedTo(DType.BF16).Rope!.FrequencyDType);
    }

    [Fact]
    public void Some_layers_of_a_mixture_can_be_dense()
    {
        var moe = Read("qwen3-moe", ("num_hidden_layers", "6"), ("decoder_sparse_step", "2"), ("mlp_only_layers", "[3]")).Moe!;

        Assert.Equal(
            (4, 2, 48, ExpertScoring.SoftmaxOfChosen),
            (moe.NumExperts, moe.ExpertsPerToken, moe.IntermediateSize, moe.Routing.Scoring));
        Assert.Equal([1, 5], Enumerable.Range(0, 6).Where(moe.HasExperts));
    }

    [Fact]
    public void Both_names_for_the_number_of_experts_are_understood()
    {
        Assert.Equal(7, Read("qwen3-moe", ("num_local_experts", null), ("num_experts", "7")).Moe!.NumExperts);
        Assert.Equal(ExpertScoring.Softmax, Read("qwen3-moe", ("norm_topk_prob", "false")).Moe!.Routing.Scoring);
    }

    [Fact]
    public void Phi_rotates_half_of_each_head_unless_told()
    {
        Assert.Equal(8, Read("phi").Rope!.RotaryDim);
        Assert.Equal(8, Read("phi", ("partial_rotary_factor", null)).Rope!.RotaryDim);
        Assert.Equal(4, Read("phi", ("partial_rotary_factor", "0.25")).Rope!.RotaryDim);
    }

    [Fact]
    public void Bloom_is_read_in_either_spelling()
    {
        var config = Read(
            "bloom", ("hidden_size", null), ("n_embed", "128"), ("n_head", null), ("num_attention_heads", "8"), ("seq_length", "4096"));

        Assert.Equal((128, 512, 8, 16), (config.HiddenSize, config.IntermediateSize, config.NumHeads, config.HeadDim));
        Assert.Equal((4096, 4096), (config.MaxPositionEmbeddings, config.MaxLength));
        Assert.Equal(2048, Read("bloom").MaxLength);
        Assert.Null(config.Rope);
    }

    [Fact]
    public void Embeddings_are_tied_where_the_architecture_assumes_it()
    {
        Assert.All(["gemma2", "bloom", "opt"], name => Assert.True(Read(name, ("tie_word_embeddings", null)).TieWordEmbeddings));
        Assert.All(
            ["mistral", "mixtral", "qwen2", "qwen3", "qwen3-moe", "phi"],
            name => Assert.False(Read(name, ("tie_word_embeddings", null)).TieWordEmbeddings));
    }

    private static ModelConfig Read(string golden, params (string Field, string? Value)[] changes)
    {
        using var folder = new TemporaryFolder();
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Checkpoint(golden), "config.json")))!.AsObject();
        foreach (var (field, value) in changes)
        {
            json.Remove(field);
            if (value is not null)
            {
                json.Add(field, JsonNode.Parse(value));
            }
        }

        folder.Write("config.json", json.ToJsonString());
        return ModelConfig.Load(folder.Path);
    }
}
