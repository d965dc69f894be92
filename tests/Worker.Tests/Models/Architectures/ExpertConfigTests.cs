using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Tests.Models.Architectures;

/// <summary>What config.json says of mixtures of experts, and what is refused rather than routed otherwise.</summary>
public sealed class ExpertConfigTests
{
    /// <summary>Golden whose configuration is changed, field, its JSON value (null removes it), what the error must say.</summary>
    public static TheoryData<string, string, string?, string> Wrong { get; } = new()
    {
        { "glm4-moe", "scoring_func", "\"sqrtsoftplus\"", "'scoring_func' is 'sqrtsoftplus'; supported: softmax, sigmoid" },
        { "glm4-moe", "topk_method", "\"hash\"", "'topk_method' is 'hash'; supported: greedy, group_limited_greedy, noaux_tc" },
        { "glm4-moe", "n_group", "4", "'n_group' is 4; it must divide 6 experts" },
        { "glm4-moe", "topk_group", "2", "'topk_group' is 2; expected 1 to 1" },
        { "glm4-moe", "n_routed_experts", null, "'num_local_experts' is missing" },
        { "dots1", "moe_layer_freq", "[1,0]", "'moe_layer_freq' is [1,0]; expected a list of 4 switches" },
        { "dots1", "moe_layer_freq", "0", "'moe_layer_freq' is 0; expected 1 to" },
        { "dots1", "hidden_act", "\"swiglu\"", "'hidden_act' is 'swiglu'" },
        { "olmoe", "clip_qkv", "8.0", "'clip_qkv' is 8; only null is supported" },
        { "minimax-m2", "scoring_func", "\"tanh\"", "'scoring_func' is 'tanh'; supported: softmax, sigmoid" },
        { "minimax-m2", "qk_norm_type", "\"per_head\"", "'qk_norm_type' is 'per_head'; supported: per_layer" },
        { "minimax-m2", "shared_intermediate_size", "64", "'shared_intermediate_size' is 64; only 0 is supported" },
        { "minimax-m2", "attn_type_list", "[1,0,1,1]", "'attn_type_list' has 0" },
        { "ernie4.5-moe", "use_bias", "true", "'use_bias' is true; only false is supported" },
        { "ernie4.5-moe", "moe_k", "7", "'moe_k' is 7; there are 6 experts" },
        { "phimoe", "router_jitter_noise", "-0.1", "'router_jitter_noise' is -0.1; expected a number from 0 to 1" },
        { "qwen2-moe", "shared_expert_intermediate_size", null, "'shared_expert_intermediate_size' is missing" },
        { "llama4", "layer_types", """["full_attention","sliding_attention","full_attention","full_attention"]""",
            "'layer_types' has 'sliding_attention'; supported: full_attention, chunked_attention" },
        { "llama4", "moe_layers", "[4]", "'moe_layers' is [4]; expected a list of layers from 0 to 3" },
        { "gpt-oss", "swiglu_limit", "0", "'swiglu_limit' is 0; expected above 0" },
    };

    [Theory, MemberData(nameof(Wrong))]
    public void What_would_route_otherwise_is_refused_by_name(string golden, string field, string? value, string reason) =>
        Assert.Contains(reason, Assert.Throws<ModelConfigException>(() => Read(golden, (field, value))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("glm4-moe", new[] { 1, 2, 3 })]
    [InlineData("ernie4.5-moe", new[] { 1, 2, 3 })]
    [InlineData("qwen2-moe", new[] { 1, 2, 3 })]
    [InlineData("llama4", new[] { 1, 3 })]
    [InlineData("gpt-oss", new[] { 0, 1, 2, 3 })]
    public void Layers_with_experts_are_those_of_the_checkpoint(string golden, int[] sparse) => Assert.Equal(sparse, Sparse(golden));

    [Fact]
    public void Layers_with_experts_are_read_in_every_spelling()
    {
        Assert.Equal([2], Sparse("glm4-moe", ("moe_layer_freq", "2")));
        Assert.Equal([1, 3], Sparse("glm4-moe", ("moe_layer_freq", "[1,1,0,1]")));
        Assert.Equal([0, 1, 2, 3], Sparse("dots1", ("first_k_dense_replace", null)));
        Assert.Equal([1], Sparse("ernie4.5-moe", ("moe_layer_interval", "2"), ("moe_layer_end_index", "2")));
        Assert.Equal([1, 2, 3], Sparse("ernie4.5-moe", ("moe_layer_end_index", "-1")));
        Assert.Equal([1, 3], Sparse("llama4", ("moe_layers", null)));
        Assert.Equal([], Sparse("llama4", ("moe_layers", "[]")));
        Assert.Equal([0, 1, 2, 3], Sparse("dots1", ("first_k_dense_replace", "0"), ("moe_layer_freq", "[]")));
    }

    [Fact]
    public void Routing_is_what_the_configuration_says()
    {
        Assert.Equal(
            new ExpertRouting(ExpertScoring.Sigmoid) { Normalize = true, Scale = 2, GroupScore = GroupScore.SumOfTwo },
            Read("glm4-moe").Routing);
        Assert.Equal(
            new ExpertRouting(ExpertScoring.Softmax) { Groups = 2, GroupsChosen = 1, Scale = 2, Normalize = true },
            Read(
                "glm4-moe", ("topk_method", "\"group_limited_greedy\""), ("scoring_func", "\"softmax\""), ("n_group", "2")).Routing);
        Assert.Equal(new ExpertRouting(ExpertScoring.Softmax) { Normalize = true, MinSum = 1e-12f }, Read("ernie4.5-moe").Routing);
        Assert.Equal(new ExpertRouting(ExpertScoring.SparseMixer) { Jitter = 0.01f }, Read("phimoe").Routing);
        Assert.Equal(ExpertScoring.Sigmoid, Read("dots1", ("scoring_func", "\"noaux_tc\"")).Routing.Scoring);
        Assert.Equal(7, Read("gpt-oss").ActivationLimit);
        Assert.Equal(5.5f, Read("gpt-oss", ("swiglu_limit", "5.5")).ActivationLimit);
    }

    [Fact]
    public void Shared_experts_are_as_wide_as_all_of_them_together()
    {
        Assert.Equal(24, Read("glm4-moe").SharedIntermediateSize);
        Assert.Equal(72, Read("glm4-moe", ("n_shared_experts", "3")).SharedIntermediateSize);
        Assert.Equal(0, Read("glm4-moe", ("n_shared_experts", "null")).SharedIntermediateSize);
        Assert.Equal(48, Read("ernie4.5-moe", ("moe_num_shared_experts", "2")).SharedIntermediateSize);
        Assert.Equal(56, Read("qwen2-moe").SharedIntermediateSize);
    }

    [Fact]
    public void Llama4_is_read_as_its_checkpoints_have_it()
    {
        var config = ReadAll("llama4", ("no_rope_layers", "[]"), ("layer_types", null), ("attn_temperature_tuning", "4"));

        Assert.Equal([16, 16, 16, 0], config.AttentionChunks);
        Assert.Equal([3], config.UnrotatedLayers);
        Assert.Equal(new QueryScale(0.1, 8) { Shift = 1, UnrotatedOnly = true }, config.QueryScale);
        Assert.Equal((48, 24, 24), (config.IntermediateSize, config.Moe!.IntermediateSize, config.Moe.SharedIntermediateSize));
        Assert.Null(ReadAll("llama4", ("attn_temperature_tuning", "0")).QueryScale);
        Assert.Equal(QueryKeyNorm.None, ReadAll("llama4", ("use_qk_norm", "false")).QueryKeyNorm);
    }

    [Fact]
    public void Minimax_is_read_as_its_checkpoints_have_it()
    {
        var config = ReadAll(
            "minimax-m2", ("rope_parameters", null), ("rope_theta", "5000000"), ("rotary_dim", "8"), ("scoring_func", "\"sigmoid\""),
            ("attn_type_list", "[1,1,1,1]"), ("use_routing_bias", "false"));

        Assert.Equal((8, 5_000_000), (config.Rope!.RotaryDim, config.Rope.Theta));
        Assert.Equal(RoutingCorrection.None, config.Moe!.Correction);
        Assert.Equal(RoutingCorrection.Vector, ReadAll("minimax-m2").Moe!.Correction);
    }

    private static int[] Sparse(string golden, params (string Field, string? Value)[] changes) =>
        [.. Enumerable.Range(0, 4).Where(Read(golden, changes).HasExperts)];

    private static MoeConfig Read(string golden, params (string Field, string? Value)[] changes) => ReadAll(golden, changes).Moe!;

    private static ModelConfig ReadAll(string golden, params (string Field, string? Value)[] changes)
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
