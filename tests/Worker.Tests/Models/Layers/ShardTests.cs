using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Tests.Models.Quantization;

namespace Cluster.Worker.Tests.Models.Layers;

public sealed class ShardTests
{
    private static readonly ModelConfig Haiku = ModelConfig.Load(Fixtures.Haiku);

    public static TheoryData<string, int, string> Refused => new()
    {
        { "haiku-1m", 3, "tensor-parallel-size 3 does not divide 4 attention heads; possible here: 1, 2, 4" },
        { "haiku-1m", 8, "tensor-parallel-size 8 does not divide 4 attention heads; possible here: 1, 2, 4" },
        { "many heads", 3, "tensor-parallel-size 3 does not divide 128 attention heads; possible here: 1, 2, 4, 8, 16, 32, 64" },
        { "kv heads", 6, "tensor-parallel-size 6 neither divides 4 key/value heads nor is a multiple of them; possible here: 1, 2, 4, 12" },
        { "intermediate", 4, "tensor-parallel-size 4 does not divide intermediate_size, 386; possible here: 1, 2" },
        { "experts", 4, "tensor-parallel-size 4 does not divide the intermediate size of an expert, 50; possible here: 1, 2" },
        { "shared experts", 4, "tensor-parallel-size 4 does not divide the intermediate size of shared experts, 54; possible here: 1, 2" },
        { "gptq", 2, "tensor-parallel-size 2 would cut intermediate_size, 392, into parts of 196, but gptq packs them in 8s; possible "
            + "here: 1" },
        { "awq", 4, "tensor-parallel-size 4 would cut the features of all attention heads, 48, into parts of 12, but awq packs them in "
            + "8s; possible here: 1, 2" },
    };

    [Theory, MemberData(nameof(Refused))]
    public void A_degree_that_does_not_fit_is_refused_with_those_that_do(string model, int size, string message)
    {
        var config = model switch
        {
            "many heads" => Haiku with { NumHeads = 128, NumKvHeads = 128 },
            "kv heads" => Haiku with { NumHeads = 12, NumKvHeads = 4 },
            "intermediate" => Haiku with { IntermediateSize = 386 },
            "experts" => Haiku with { Moe = new MoeConfig(4, 2, 50, new(ExpertScoring.Softmax)) },
            "shared experts" => Haiku with { Moe = new MoeConfig(4, 2, 52, new(ExpertScoring.Softmax)) { SharedIntermediateSize = 54 } },
            "gptq" => Quantized("gptq") with { IntermediateSize = 392 },
            "awq" => Quantized("awq") with { HeadDim = 12, NumKvHeads = 4 },
            _ => Haiku,
        };

        Assert.Equal(message, Assert.Throws<ArgumentException>(() => Shard.Of(config, 0, size)).Message);
    }

    [Theory]
    [InlineData(4, 2)]
    [InlineData(32, 8)]
    [InlineData(24, 6)]
    [InlineData(8, 1)]
    [InlineData(12, 12)]
    public void Every_query_head_has_its_key_value_head_on_its_rank(int heads, int kvHeads)
    {
        var config = Haiku with { NumHeads = heads, NumKvHeads = kvHeads, IntermediateSize = 48 * heads };
        Assert.All(Shard.Degrees(config), size =>
        {
            Shard[] shards = [.. Enumerable.Range(0, size).Select(rank => Shard.Of(config, rank, size))];
            Assert.Equal(Enumerable.Range(0, heads), shards.SelectMany(shard => Enumerable.Range(shard.Heads.First, shard.Heads.Count)));
            foreach (var shard in shards)
            {
                Assert.Equal(Math.Max(1, kvHeads / size), shard.Config.NumKvHeads);
                for (var i = 0; i < shard.Heads.Count; i++)
                {
                    var onRank = i / (shard.Heads.Count / shard.KvHeads.Count);
                    Assert.Equal((shard.Heads.First + i) / (heads / kvHeads), shard.KvHeads.First + onRank);
                }
            }
        });
    }

    [Fact]
    public void Experts_and_what_all_tokens_share_are_cut_by_their_features()
    {
        var moe = new MoeConfig(4, 2, 48, new(ExpertScoring.Softmax)) { SharedIntermediateSize = 96, DenseLayers = [0] };
        Shard[] shards = [.. Enumerable.Range(0, 4).Select(rank => Shard.Of(Haiku with { Moe = moe }, rank, 4))];

        Assert.All(shards, (shard, rank) => Assert.Equal(
            (new Slice(48, 12 * rank, 12), new Slice(96, 24 * rank, 24)), (shard.ExpertIntermediate, shard.SharedIntermediate)));
        Assert.All(shards, shard => Assert.Equal((12, 24), (shard.Config.Moe!.IntermediateSize, shard.Config.Moe.SharedIntermediateSize)));
    }

    [Fact]
    public void A_model_on_one_device_is_not_cut()
    {
        var shard = Shard.Of(Haiku, group: null);

        Assert.True(shard.IsWhole);
        Assert.Equal(Haiku, shard.Config);
    }

    private static ModelConfig Quantized(string name) => ModelConfig.Load(QuantizedCheckpoints.Folder(name));
}
