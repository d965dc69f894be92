using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Engine;
using Cluster.Worker.Tests.Models.Checkpoints;
using Cluster.Worker.Tests.Models.Layers;
using Cluster.Worker.Tests.Models.Quantization;

namespace Cluster.Worker.Tests.Models.Parallel;

/// <summary>What ranks hold, and what is said when one of them cannot go on.</summary>
public sealed class TensorParallelModelTests
{
    private static readonly ModelRunnerOptions Options = new()
    {
        MaxBatchedTokens = 32,
        MaxSequences = 2,
        MaxModelLength = 64,
        RoundsInputs = false,
    };

    public static MatrixTheoryData<string, int> Checkpoints { get; } = new(["haiku-1m", .. QuantizedCheckpoints.Haiku], [2, 4]);

    [Theory, MemberData(nameof(Checkpoints))]
    public void A_rank_keeps_its_share_of_the_weights_and_what_all_keep(string name, int size)
    {
        var folder = name == "haiku-1m" ? Fixtures.Haiku : QuantizedCheckpoints.Folder(name);
        using var whole = CpuRanks.Load(folder, 1, Options);
        using var model = CpuRanks.Load(folder, size, Options);
        var total = whole.Ranks[0].ResidentWeightBytes;

        // Eleven norms; one of two key/value heads on each of four ranks; in layers whose inputs are shared, scales of groups that
        // act-order spreads over all inputs or that have them all, and tables of outputs.
        var norms = 11 * 128 * sizeof(float);
        var heads = size == 2 ? 0 : 5 * 2 * 32 * (128 * sizeof(short) + sizeof(float));
        var tables = name switch
        {
            "gptq-act-order" => 5 * (4 + 12) * 128 * 2 * sizeof(short),
            "ct-w8a16" or "ct-w8a8" => 5 * 2 * 128 * 2 * sizeof(short),
            "squeezellm" => 5 * 2 * 128 * 16 * sizeof(short),
            _ => 0,
        };

        // What is left of an act-order group on a rank is filled up to whole words: up to seven codes of each output, and their places.
        var filled = name == "gptq-act-order" ? 5 * (4 + 12) * 7 * (128 / 2 + sizeof(int)) : 0;
        Assert.All(model.Ranks, rank =>
        {
            Assert.InRange(rank.ReplicatedWeightBytes, norms, norms + heads + tables);
            Assert.InRange(rank.ResidentWeightBytes, total / size, (1.05 * total / size) + rank.ReplicatedWeightBytes + filled);
            Assert.Equal(1, rank.Capacity.Cache.KvHeads);
        });
    }

    /// <summary>haiku-1m with groups of 128 inputs: the cuts at 32, 64, 96 and 192 all fall within one. Its scales are on each rank that
    /// has inputs of it.</summary>
    [Theory, InlineData(2, 2), InlineData(4, 3)]
    public void A_group_that_a_cut_goes_through_is_on_both_ranks_and_no_other_bytes_are(int size, int mostShared)
    {
        const int GroupSize = 128;
        var checkpoint = Checkpoint.Open(QuantizedCheckpoints.Folder("gptq"));
        var weights = new EditedWeights(checkpoint);
        foreach (var name in checkpoint.Names.Where(
            name => name.EndsWith(".scales", StringComparison.Ordinal) || name.EndsWith(".qzeros", StringComparison.Ordinal)))
        {
            var groups = checkpoint.Find(name)!;
            weights.With(name, groups.RowRange(0, groups.Rows * 32 / GroupSize));
        }

        foreach (var name in checkpoint.Names.Where(name => name.EndsWith(".g_idx", StringComparison.Ordinal)))
        {
            weights.Without(name);
        }

        var config = ModelConfig.Load(QuantizedCheckpoints.Folder("gptq")) with
        {
            Quantization = new GptqScheme(bits: 4, GroupSize, descAct: false, zeroOffset: 1)
        };
        using var whole = CpuRanks.Load(config, weights, 1, Options);
        using var model = CpuRanks.Load(config, weights, size, Options);

        var total = whole.Ranks[0].ResidentWeightBytes;
        var norms = 11 * 128 * sizeof(float);
        var heads = size == 2 ? 0 : 5 * 2 * 32 * (128 * sizeof(short) + sizeof(float));
        Assert.All(model.Ranks, rank =>
        {
            Assert.InRange(
                rank.ReplicatedWeightBytes, norms + (5 * 2 * 128 * 2 * sizeof(short)),
                norms + heads + (5 * mostShared * 128 * 2 * sizeof(short)));
            Assert.InRange(rank.ResidentWeightBytes, total / size, (1.05 * total / size) + rank.ReplicatedWeightBytes);
        });
        Assert.All(FirstLogits(whole).Zip(FirstLogits(model)), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));

        static float[] FirstLogits(TensorParallelModel model)
        {
            var sequence = new PackedSequences(model.Runner, 1, 20);
            sequence.Add(0, [1, 2]);
            return sequence.Run().ToArray();
        }
    }

    [Theory]
    [InlineData("opt", 7 * 2 * 64 * sizeof(float), 256 * 64 * sizeof(short))]
    [InlineData("mixtral", 7 * 64 * sizeof(float), 3 * 4 * 64 * sizeof(short))]
    public void Learned_positions_and_routers_are_on_every_rank(string name, long norms, long others)
    {
        var (config, weights) = ModelLoader.Open(Fixtures.Checkpoint(name));
        using var model = TensorParallelModel.Load(config, weights, CpuRanks.Group(2), _ => new RecordingBackend(), Options);

        Assert.All(model.Ranks, rank => Assert.Equal(norms + others, rank.ReplicatedWeightBytes));
    }

    /// <summary>Where attention and MLP run side by side, one sum is enough for both; heads that are normalized together take one
    /// more.</summary>
    [Theory, MemberData(nameof(ForwardPassTests.Names), MemberType = typeof(ForwardPassTests))]
    public void A_layer_sums_over_the_ranks_after_attention_and_after_the_mlp(string name)
    {
        var backends = new RecordingBackend[2];
        var (config, weights) = ModelLoader.Open(Fixtures.Checkpoint(name));
        using var model = TensorParallelModel.Load(
            config, weights, CpuRanks.Group(2), end => backends[end.Rank] = new RecordingBackend { DownloadedValue = 0 }, Options);
        var sequence = new PackedSequences(model.Runner, 1, 20);
        sequence.Add(0, [1, 2]);

        Assert.Equal(2 * config.VocabSize, sequence.Run().Length);

        var ofLayer = (config.Wiring is LayerWiring.Parallel or LayerWiring.ParallelNorms ? 1 : 2)
            + (config.QueryKeyNorm == QueryKeyNorm.AllHeads ? 1 : 0);
        var sums = 1 + (ofLayer * config.NumLayers);
        foreach (var (backend, rank) in backends.Zip(model.Ranks))
        {
            var pass = backend.TakePass();
            Assert.Equal(sums, pass.Count(operation => operation.StartsWith("AllReduce", StringComparison.Ordinal)));
            Assert.Single(pass, operation => operation.StartsWith("AllGather", StringComparison.Ordinal));
            var ofGroup = Options.MaxBatchedTokens + (Options.MaxSequences * (2 + 4));
            var stepTensors =
                (2 * Options.MaxBatchedTokens) + (3 * Options.MaxSequences) + 1 + (model.Runner.KvGroups.Count * ofGroup);
            Assert.Equal(backend.AllocatedBytes, rank.ActivationBytes + (sizeof(int) * stepTensors));
        }
    }

    [Fact]
    public void Ranks_agree_on_a_cache_that_the_smallest_can_hold()
    {
        var (config, weights) = ModelLoader.Open(Fixtures.Haiku);
        using var model = TensorParallelModel.Load(
            config, weights, CpuRanks.Group(2), end => new ReferenceBackend(end) { DeviceBytes = (64L << 20) >> end.Rank },
            Options with { MaxSequences = 32, MaxModelLength = null });
        using var small = TensorParallelModel.Load(
            config, weights, CpuRanks.Group(2), end => new ReferenceBackend(end) { DeviceBytes = 32L << 20 },
            Options with { MaxSequences = 32, MaxModelLength = null });

        Assert.Equal(small.Ranks[1].Capacity.Cache, model.Ranks[0].Capacity.Cache);
        Assert.Equal(small.Ranks[1].Capacity.Cache, model.Ranks[1].Capacity.Cache);
    }

    [Fact]
    public void A_part_that_is_broken_on_one_rank_is_what_the_model_reports()
    {
        const string Name = "model.layers.2.mlp.up_proj.weight";
        var folder = QuantizedCheckpoints.Folder("fp8-dynamic");
        var codes = new byte[384 * 128];
        codes[(383 * 128) + 9] = 0x7F;
        var weights = new EditedWeights(Checkpoint.Open(folder)).With(Name, HostTensors.Raw(Name, DType.F8E4M3, codes, 384, 128));

        var error = Assert.Throws<CheckpointFormatException>(() => CpuRanks.Load(ModelConfig.Load(folder), weights, 2, Options));

        Assert.Contains($"tensor '{Name}' has NaN (code 0x7F) at [383, 9]; every weight must be a number", error.Message);
    }

    [Fact]
    public void A_degree_that_does_not_fit_is_refused_in_one_line()
    {
        var error = Assert.Throws<ArgumentException>(() => CpuRanks.Load(Fixtures.Haiku, 3, Options));

        Assert.Equal("tensor-parallel-size 3 does not divide 4 attention heads; possible here: 1, 2, 4", error.Message);
    }

    [Fact]
    public void A_failure_of_one_rank_ends_the_step_with_its_reason()
    {
        var group = CpuRanks.Group(2);
        IModelRunner[] runners = [.. group.Select(end => new FakeModelRunner(32, 16, 4, 64)
        {
            OnLaunch = _ =>
            {
                if (end.Rank == 1)
                {
                    throw new InvalidDataException("lost the device");
                }

                end.Barrier();
            },
        })];
        using var runner = new TensorParallelRunner(runners, group);
        var sequence = new PackedSequences(runner, 1, 4);
        sequence.Add(0, [1, 2, 3]);

        Assert.Equal("lost the device", Assert.Throws<InvalidDataException>(() => sequence.Run()).Message);
    }
}
