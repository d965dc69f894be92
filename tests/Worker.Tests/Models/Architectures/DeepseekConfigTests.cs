using System.Text.Json.Nodes;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Tests.Models.Architectures;

/// <summary>What config.json says of latent attention, in the spellings of checkpoints on the hub.</summary>
public sealed class DeepseekConfigTests
{
    [Fact]
    public void A_head_has_a_rotated_part_of_its_own_and_one_latent_is_cached()
    {
        // As Kimi-K2 and DeepSeek-V3 write it: no head_dim, and 7168 / 112 is nobody's.
        var config = Read("deepseek-v3", ("head_dim", null), ("hidden_size", "36"));

        Assert.Equal(new LatentConfig(48, 32, 16, 8, 24), config.Latent);
        Assert.Equal((24, 1, 40), (config.HeadDim, config.NumKvHeads, config.Latent!.CacheDim));
        Assert.Equal((96, 96), (config.QkvSize, config.AttentionSize));
        Assert.Equal((8, 32, true), (config.Rope!.RotaryDim, config.Rope.FirstDim, config.Rope.Interleaved));
        Assert.Equal([1, 2, 4], Shard.Degrees(config));
    }

    [Fact]
    public void Queries_need_no_latent() => Assert.Null(Read("deepseek-v2").Latent!.QueryRank);

    [Fact]
    public void Scores_grow_by_yarn_where_keys_are_rotated_in_part()
    {
        var plain = 1 / MathF.Sqrt(24);
        const string Yarn = """
            {"type": "yarn", "factor": 40, "original_max_position_embeddings": 64, "mscale": 0.707, "mscale_all_dim": 0.707}
            """;

        Assert.Equal(plain, Read("deepseek-v2").AttentionScale, 1e-7);
        Assert.Equal(plain * MathF.Pow(1 + (0.1f * MathF.Log(8)), 2), Read("deepseek-v3").AttentionScale, 1e-6);
        Assert.Equal(
            plain * MathF.Pow(1 + (0.0707f * MathF.Log(40)), 2), Read("deepseek-v2", ("rope_scaling", Yarn)).AttentionScale, 1e-6);
    }

    [Fact]
    public void Halves_are_rotated_where_the_configuration_says_so() =>
        Assert.False(Read("deepseek-v3", ("rope_interleave", "false")).Rope!.Interleaved);

    [Theory]
    [InlineData("deepseek-v2", "mlp_bias", "true", "'mlp_bias' is true; only false is supported")]
    [InlineData("deepseek-v3", "kv_lora_rank", null, "'kv_lora_rank' is missing")]
    [InlineData("deepseek-v3", "head_dim", "16", "'head_dim' is 16; it must be qk_rope_head_dim 8, or left out")]
    [InlineData("deepseek-v3", "v_head_dim", "0", "'v_head_dim' is 0; expected 1 to")]
    public void What_would_attend_otherwise_is_refused_by_name(string golden, string field, string? value, string reason) =>
        Assert.Contains(reason, Assert.Throws<ModelConfigException>(() => Read(golden, (field, value))).Message, StringComparison.Ordinal);

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
