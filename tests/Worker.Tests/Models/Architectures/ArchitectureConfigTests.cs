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
        { "gemma", "use_bidirectional_attention", "true", "'use_bidirectional_attention' is true; only false is supported" },
        { "gemma", "hidden_activation", "\"swiglu\"", "'hidden_activation' is 'swiglu'; supported: silu" },
        { "gemma3", "query_pre_attn_scalar", "-1", "'query_pre_attn_scalar' is -1; expected above 0" },
        { "gemma3", "rope_scaling", """{"rope_type":"ntk"}""", "'rope_scaling.rope_type' is 'ntk'; supported: default, linear" },
        { "gemma3", "rope_parameters", """{"full_attention":{}}""", "'rope_parameters.sliding_attention' is missing" },
        { "phi3", "attention_bias", "true", "'attention_bias' is true; only false is supported" },
        { "phi3", "rope_scaling", """{"type":"longrope","short_factor":[1],"long_factor":[1]}""",
            "'rope_scaling.short_factor' has 1 entries; 8 rotated dimensions call for 4" },
        { "phi3", "rope_scaling", """{"type":"longrope","short_factor":[1,1,1,0],"long_factor":[1]}""",
            "'rope_scaling.short_factor' is [1,1,1,0]; expected a list of numbers above 0" },
        { "olmo3", "layer_types", "[\"linear_attention\",\"full_attention\",\"full_attention\",\"full_attention\"]",
            "'layer_types' has 'linear_attention'; supported: full_attention, sliding_attention" },
        { "cohere2", "use_qk_norm", "true", "'use_qk_norm' is true; only false is supported" },
        { "smollm3", "no_rope_layers", "[1, 1, 0]", "'no_rope_layers' is [1,1,0]; expected a list of 4 switches, 0 or 1" },
        { "smollm3", "no_rope_layers", "[1, 1, 2, 0]", "'no_rope_layers' is [1,1,2,0]; expected a list of 4 switches" },
        { "falcon", "apply_residual_connection_post_layernorm", "true",
            "'apply_residual_connection_post_layernorm' is true; only false is supported" },
        { "falcon", "activation", "\"quick_gelu\"", "'activation' is 'quick_gelu'; supported: silu, gelu" },
        { "falcon-new", "num_kv_heads", "3", "'num_kv_heads' is 3; it must divide num_attention_heads 4" },
        { "falcon-new", "num_ln_in_parallel_attn", "3", "'num_ln_in_parallel_attn' is 3; expected 1 to 2" },
        { "gptj", "rotary_dim", "10", "'rotary_dim' is 10; heads have 8 dimensions" },
        { "gptj", "rotary_dim", "3", "rotates 3 dimensions" },
        { "gpt2", "scale_attn_weights", "false", "'scale_attn_weights' is false; only true is supported" },
        { "gpt2", "scale_attn_by_inverse_layer_idx", "true", "'scale_attn_by_inverse_layer_idx' is true; only false is supported" },
        { "gpt2", "add_cross_attention", "true", "'add_cross_attention' is true; only false is supported" },
        { "gpt2", "activation_function", "\"tanh\"", "'activation_function' is 'tanh'; supported: silu" },
        { "gpt-bigcode", "scale_attn_weights", "false", "'scale_attn_weights' is false; only true is supported" },
        { "stablelm", "qk_layernorm", "true", "'qk_layernorm' is true; only false is supported" },
        { "exaone4", "sliding_window_pattern", "\"LLXG\"", "'sliding_window_pattern' is 'LLXG'; expected a number, or letters L and G" },
        { "hunyuan", "use_qk_norm", "false", "'use_qk_norm' is false; only true is supported" },
        { "hunyuan", "use_cla", "true", "'use_cla' is true; only false is supported" },
        { "mpt", "no_bias", "false", "'no_bias' is false; only true is supported" },
        { "mpt", "norm_type", "\"rmsnorm\"", "'norm_type' is 'rmsnorm'; supported: low_precision_layernorm, layernorm" },
        { "mpt", "logit_scale", "\"inv_sqrt_d_model\"", "'logit_scale' is set; only null is supported" },
        { "mpt", "attn_config", """{"alibi":true,"clip_qkv":8}""", "'attn_config.clip_qkv' is set; only null is supported" },
        { "mpt", "attn_config", """{"alibi":true,"qk_ln":true}""", "'attn_config.qk_ln' is true; only false is supported" },
        { "mpt", "attn_config", """{"alibi":false}""", "'attn_config.alibi' is false; only true is supported" },
        { "mpt", "attn_config", """{"alibi":true,"attn_type":"multiquery_attention"}""",
            "'attn_config.attn_type' is 'multiquery_attention'; supported: multihead_attention" },
        { "apertus", "hidden_act", "\"silu\"", "'hidden_act' is 'silu'; supported: xielu" },
        { "apertus", "post_norm", "true", "'post_norm' is true; only false is supported" },
        { "arcee", "hidden_act", "\"xielu\"", "'hidden_act' is 'xielu'; supported: silu" },
        { "mistral3-multimodal", "text_config", """{"model_type":"qwen2"}""",
            "'text_config.model_type' is 'qwen2'; supported in Mistral3ForConditionalGeneration: mistral, ministral3" },
        { "gemma3-multimodal", "text_config", "[]", "'text_config' is []; expected an object" },
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
        Assert.True(config.Wiring == LayerWiring.Sandwich && config.TieWordEmbeddings && config.NormWeightOffset == 1);
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

    [Fact]
    public void Rotation_is_left_out_of_the_layers_that_say_so()
    {
        int[] Rotated(string golden, params (string, string?)[] changes) =>
            [.. Enumerable.Range(0, 4).Where(layer => Read(golden, changes).RopeOf(layer) is not null)];

        Assert.Equal([0, 1, 2], Rotated("smollm3"));
        Assert.Equal([0, 1, 2], Rotated("smollm3", ("no_rope_layers", null)));
        Assert.Equal([0, 2], Rotated("smollm3", ("no_rope_layers", "[1, 0, 1, 0]")));
        Assert.Equal([0, 1, 2], Rotated("cohere2"));
        Assert.Equal([0, 2], Rotated("cohere2", ("layer_types", null), ("sliding_window_pattern", "2")));
        Assert.Equal([0, 1, 2], Rotated("exaone4", ("layer_types", null), ("sliding_window_pattern", "\"LLLG\"")));
        Assert.Equal([0, 1, 2, 3], Rotated("exaone4", ("sliding_window", "null")));
    }

    [Fact]
    public void Gemma3_has_a_base_of_its_own_where_it_slides()
    {
        var config = Read("gemma3");

        Assert.Equal([16, 16, 0, 16], config.SlidingWindows);
        Assert.Equal((10_000, 1), (config.RopeOf(0)!.Theta, config.RopeOf(0)!.Scaling.Factor));
        Assert.Equal((1_000_000, 8), (config.RopeOf(2)!.Theta, config.RopeOf(2)!.Scaling.Factor));
        Assert.Equal(512, config.MaxLength);
        var nested = Read(
            "gemma3", ("rope_theta", null), ("rope_scaling", null), ("rope_local_base_freq", null), ("rope_parameters", """
                {"full_attention": {"rope_type": "linear", "factor": 8, "rope_theta": 1000000},
                 "sliding_attention": {"rope_type": "default", "rope_theta": 10000}}
                """));
        Assert.Equal((config.Rope, config.SlidingRope), (nested.Rope, nested.SlidingRope));
    }

    [Fact]
    public void Gemma3_assumes_what_multimodal_checkpoints_leave_out()
    {
        var config = Read("gemma3-multimodal", ("text_config", """
            {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024,
             "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}
            """));

        Assert.Equal((262208, 8, 4, 256), (config.VocabSize, config.NumHeads, config.NumKvHeads, config.HeadDim));
        Assert.Equal((1_000_000, 131072, 1024), (config.Rope!.Theta, config.MaxLength, config.SlidingWindow(0)));
        Assert.Equal("Gemma3ForConditionalGeneration", config.Architecture.Name);
    }

    [Fact]
    public void Long_factors_are_taken_where_longer_contexts_than_those_of_training_are_served()
    {
        var rope = Read("phi3").Rope!;
        var inner = (float)Math.Sqrt(1 + (Math.Log(4) / Math.Log(128)));

        Assert.Equal(1f / 1.1f, rope.Frequencies(128).InverseFrequencies[1] / MathF.Pow(10_000, -0.25f), 1e-6f);
        Assert.Equal(1f / 2f, rope.Frequencies(129).InverseFrequencies[1] / MathF.Pow(10_000, -0.25f), 1e-6f);
        Assert.Equal((inner, inner), (rope.Frequencies(128).AttentionScale, rope.Frequencies(512).AttentionScale));
        Assert.Equal((6, 512), (Read("phi4-mini").Rope!.RotaryDim, Read("phi4-mini").MaxLength));
        var scaled = Read("phi3", ("rope_scaling", """
            {"long_factor": [1.5, 2.0, 2.5, 3.0], "short_factor": [1.0, 1.1, 1.2, 1.3], "type": "su",
             "short_mscale": 1.1, "long_mscale": 1.3}
            """)).Rope!;
        Assert.Equal((1.1f, 1.3f), (scaled.Frequencies(128).AttentionScale, scaled.Frequencies(129).AttentionScale));
    }

    [Fact]
    public void Hunyuan_grows_its_base_by_alpha()
    {
        var rope = Read(
            "hunyuan", ("rope_parameters", null), ("rope_scaling", """{"type": "dynamic", "alpha": 1000.0, "factor": 1.0}""")).Rope!;

        Assert.Equal(Math.Pow(10_000 * Math.Pow(1000, 8 / 6.0), -0.25), rope.Frequencies(16).InverseFrequencies[1], 1e-9);
    }

    [Fact]
    public void Falcon_is_read_in_all_its_forms()
    {
        var old = Read("falcon");
        var grouped = Read("falcon-new");
        var alibi = Read("falcon", ("alibi", "true"), ("multi_query", "false"), ("parallel_attn", "false"), ("bias", "true"));
        var first = Read(
            "falcon-new", ("architectures", "[\"RWForCausalLM\"]"), ("model_type", "\"RefinedWeb\""), ("new_decoder_architecture", null),
            ("num_kv_heads", null), ("n_head_kv", "2"), ("num_attention_heads", null), ("n_head", "4"), ("num_hidden_layers", null),
            ("n_layer", "4"), ("num_ln_in_parallel_attn", null));

        Assert.Equal((1, QkvLayout.Stacked, LayerWiring.Parallel), (old.NumKvHeads, old.QkvLayout, old.Wiring));
        Assert.Equal((2, QkvLayout.ByGroup, LayerWiring.ParallelNorms), (grouped.NumKvHeads, grouped.QkvLayout, grouped.Wiring));
        Assert.Equal((4, QkvLayout.ByGroup, LayerWiring.PreNorm), (alibi.NumKvHeads, alibi.QkvLayout, alibi.Wiring));
        Assert.True(alibi.Alibi && alibi.Rope is null && alibi.QkvBias && alibi.AlibiScale == alibi.AttentionScale);
        Assert.Equal((2, QkvLayout.ByGroup, LayerWiring.ParallelNorms), (first.NumKvHeads, first.QkvLayout, first.Wiring));
        Assert.Equal(LayerWiring.Parallel, Read("falcon-new", ("num_ln_in_parallel_attn", "1")).Wiring);
    }

    [Fact]
    public void A_text_inherits_what_its_configuration_leaves_out()
    {
        var config = Read(
            "qwen2.5-vl", ("dtype", "\"float16\""), ("eos_token_id", "[7]"),
            ("quantization_config", """{"quant_method": "fp8", "activation_scheme": "dynamic"}"""));

        Assert.Equal((DType.F16, "fp8"), (config.DType, config.Quantization?.Method));
        Assert.Equal([2], config.EosTokenIds);
        Assert.True(Read("mistral3-multimodal") is { TieWordEmbeddings: true, UntiedIfStored: true });
        Assert.True(Read("qwen2.5-vl") is { TieWordEmbeddings: false, UntiedIfStored: false });
    }

    [Fact]
    public void A_multimodal_configuration_may_be_flat()
    {
        var text = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Checkpoint("qwen2.5-vl"), "config.json")))!["text_config"]!;
        var flat = text.AsObject().Where(field => field.Key is not ("model_type" or "rope_parameters"))
            .Select(field => (field.Key, field.Value?.ToJsonString()));
        var config = Read(
            "qwen2.5-vl",
            [
                .. flat, ("text_config", null), ("model_type", "\"qwen2_5_vl\""), ("rope_theta", "1000000.0"),
                ("rope_scaling", """{"type": "mrope", "mrope_section": [1, 1, 2]}"""),
            ]);

        Assert.Equal(Read("qwen2.5-vl").Rope, config.Rope);
        Assert.Equal(4, config.NumLayers);
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
