using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Running;

public sealed class CapacityPlanTests
{
    /// <summary>haiku-1m: 5 layers × 2 KV heads × 32, so a block of 16 tokens takes 40 KiB; 2048 positions.</summary>
    private static readonly ModelConfig Haiku = ModelConfig.Load(Fixtures.Haiku);

    private const long BytesPerBlock = 2 * 5 * 2 * 32 * 16 * 4;

    [Fact]
    public void Memory_decides_the_number_of_blocks()
    {
        var plan = CapacityPlan.Fit(Haiku, new ModelRunnerOptions(), (1000 * BytesPerBlock) + 7);

        Assert.Equal((1000, 2048), (plan.Cache.NumBlocks, plan.MaxModelLength));
        Assert.Equal((16_000, 1000 * BytesPerBlock), (plan.CacheTokens, plan.CacheBytes));
        Assert.Equal(
            "KV cache: 1000 blocks × 16 tokens = 16000 tokens, 39.1 MiB, F32; longest sequence 2048, maximum concurrency for it 7.81x",
            plan.ToString());
    }

    [Fact]
    public void An_fp8_cache_has_four_times_the_blocks_of_an_f32_one()
    {
        var plan = CapacityPlan.Fit(Haiku, new ModelRunnerOptions { KvCacheDType = DType.F8E4M3 }, (1000 * BytesPerBlock) + 7);

        Assert.Equal(4000, plan.Cache.NumBlocks);
        Assert.Equal(
            "KV cache: 4000 blocks × 16 tokens = 64000 tokens, 39.1 MiB, F8E4M3; longest sequence 2048, maximum concurrency for it 31.25x",
            plan.ToString());
    }

    [Theory, InlineData(nameof(DType.BF16)), InlineData(nameof(DType.F16))]
    public void A_16_bit_cache_has_twice_the_blocks_of_an_f32_one(string dtype)
    {
        var plan = CapacityPlan.Fit(Haiku, new ModelRunnerOptions { KvCacheDType = Enum.Parse<DType>(dtype) }, (1000 * BytesPerBlock) + 7);

        Assert.Equal(2000, plan.Cache.NumBlocks);
    }

    [Fact]
    public void A_latent_cache_has_one_latent_a_token_whatever_the_heads()
    {
        var config = ModelConfig.Load(Fixtures.Checkpoint("deepseek-v3"));
        var plan = CapacityPlan.Fit(config, new ModelRunnerOptions { KvCacheDType = DType.BF16, NumBlocks = 3 }, 0);

        // Four layers of 32 + 8 elements of two bytes; keys and values of four heads would take 4 · 4 · (24 + 24) · 2.
        Assert.Equal(4 * (32 + 8) * 2, plan.Cache.BytesPerBlock / plan.Cache.BlockSize);
    }

    [Fact]
    public void No_more_blocks_are_taken_than_the_sequences_can_fill()
    {
        var plan = CapacityPlan.Fit(Haiku, new ModelRunnerOptions { MaxSequences = 3, MaxModelLength = 100 }, 1L << 40);

        Assert.Equal(3 * 7, plan.Cache.NumBlocks);
    }

    [Fact]
    public void A_length_nobody_asked_for_gives_way_to_memory()
    {
        Assert.Equal(10 * 16, CapacityPlan.Fit(Haiku, new ModelRunnerOptions(), 10 * BytesPerBlock).MaxModelLength);
    }

    [Fact]
    public void A_length_asked_for_must_fit()
    {
        var error = Assert.Throws<ArgumentException>(
            () => CapacityPlan.Fit(Haiku, new ModelRunnerOptions { MaxModelLength = 161 }, 10 * BytesPerBlock));

        Assert.Contains("max-model-len 161 needs 11 KV blocks of 16 tokens, but there are 10; lower it to 160", error.Message);
    }

    /// <summary>Of 5 layers, one is full; windows of 256 tokens.</summary>
    private static ModelConfig Windowed(int window = 256) => Haiku with { SlidingWindows = [window, window, window, window, 0] };

    [Fact]
    public void Layers_with_a_window_take_blocks_for_what_they_read_and_one_step()
    {
        var options = new ModelRunnerOptions { MaxBatchedTokens = 512, MaxSequences = 100 };

        // Blocks of one layer: 128 for the full one, 48 and one more, as none is aligned, for 255 + 512 tokens of each window.
        var plan = CapacityPlan.Fit(Windowed(), options, 1000 * BytesPerBlock);

        Assert.Equal((1, 5000, 2048), (plan.Cache.Layers, plan.Cache.NumBlocks, plan.MaxModelLength));
        Assert.Equal(1000 * BytesPerBlock, plan.CacheBytes);
        Assert.Equal(128 + 4 * 49, plan.BlocksOfLongest);
        Assert.Equal(5000 * 2048L / (128 + 4 * 49), plan.CacheTokens);
        Assert.Equal(
            "KV cache: 5000 blocks × 16 tokens × 1 layers for 5 groups (1 full, 4 with a window of 256) = 31604 tokens, 39.1 MiB, F32; "
            + "longest sequence 2048, maximum concurrency for it 15.43x",
            plan.ToString());
    }

    [Fact]
    public void A_length_that_windows_make_possible_is_possible()
    {
        var options = new ModelRunnerOptions { MaxBatchedTokens = 512, MaxModelLength = 2048, NumBlocks = 128 + 4 * 49 };

        Assert.Equal(2048, CapacityPlan.Fit(Windowed(), options, 0).MaxModelLength);
        Assert.Contains(
            "max-model-len 2048 needs 324 KV blocks of 16 tokens, but there are 323; lower it to 2032",
            Assert.Throws<ArgumentException>(
                () => CapacityPlan.Fit(Windowed(), options with { NumBlocks = options.NumBlocks - 1 }, 0)).Message);
    }

    [Fact]
    public void A_window_that_no_sequence_leaves_is_none()
    {
        Assert.Equal(1, CapacityPlan.Fit(Windowed(2048), new ModelRunnerOptions(), 1 << 30).Groups.Count);
        Assert.Equal(5, CapacityPlan.Fit(Windowed(2047), new ModelRunnerOptions(), 1 << 30).Groups.Count);
    }

    [Theory]
    [InlineData(BytesPerBlock - 1)]
    [InlineData(-1_000_000)]
    public void A_device_without_room_for_a_block_is_refused(long budget)
    {
        Assert.Contains(
            "no memory is left for the KV cache",
            Assert.Throws<ArgumentException>(() => CapacityPlan.Fit(Haiku, new ModelRunnerOptions(), budget)).Message);
    }

    [Fact]
    public void A_length_beyond_the_models_is_refused()
    {
        var error = Assert.Throws<ArgumentException>(
            () => CapacityPlan.WantedLength(Haiku, new ModelRunnerOptions { MaxModelLength = 2049 }));

        Assert.Contains("max-model-len 2049 exceeds the 2048 positions", error.Message);
    }

    [Fact]
    public void A_number_of_blocks_asked_for_is_taken_as_it_is()
    {
        Assert.Equal(77, CapacityPlan.Fit(Haiku, new ModelRunnerOptions { NumBlocks = 77 }, 0).Cache.NumBlocks);
    }

    public static TheoryData<string, string> BadOptions { get; } = new()
    {
        { nameof(ModelRunnerOptions.MaxBatchedTokens), "max-num-batched-tokens is 0" },
        { nameof(ModelRunnerOptions.MaxSequences), "max-num-seqs is 0" },
        { nameof(ModelRunnerOptions.BlockSize), "block-size is 0" },
        { nameof(ModelRunnerOptions.NumBlocks), "num-blocks is 0" },
        { nameof(ModelRunnerOptions.MaxModelLength), "max-model-len is 0" },
        { nameof(ModelRunnerOptions.MaxLogits), "max-logits is 0" },
        { nameof(ModelRunnerOptions.GpuMemoryUtilization), "gpu-memory-utilization is NaN" },
        { "more sequences than tokens", "max-num-seqs 256 exceeds max-num-batched-tokens 255" },
        { "too many slots", "exceeds 2147483647 token slots" },
    };

    [Theory, MemberData(nameof(BadOptions))]
    public void Options_out_of_range_are_refused_by_their_flag(string option, string reason)
    {
        var options = new ModelRunnerOptions();
        options = option switch
        {
            nameof(ModelRunnerOptions.MaxBatchedTokens) => options with { MaxBatchedTokens = 0 },
            nameof(ModelRunnerOptions.MaxSequences) => options with { MaxSequences = 0 },
            nameof(ModelRunnerOptions.BlockSize) => options with { BlockSize = 0 },
            nameof(ModelRunnerOptions.NumBlocks) => options with { NumBlocks = 0 },
            nameof(ModelRunnerOptions.MaxModelLength) => options with { MaxModelLength = 0 },
            nameof(ModelRunnerOptions.MaxLogits) => options with { MaxLogits = 0 },
            nameof(ModelRunnerOptions.GpuMemoryUtilization) => options with { GpuMemoryUtilization = double.NaN },
            "too many slots" => options with { NumBlocks = int.MaxValue },
            _ => options with { MaxBatchedTokens = 255 },
        };

        Assert.Contains(reason, Assert.Throws<ArgumentException>(options.Validate).Message);
    }

    [Fact]
    public void A_step_too_large_for_the_device_is_refused_before_anything_is_allocated()
    {
        var backend = new RecordingBackend();

        var error = Assert.Throws<ArgumentException>(
            () => ModelLoader.Load(Fixtures.Haiku, backend, new ModelRunnerOptions { MaxBatchedTokens = 2_000_000_000 }));

        Assert.Contains("max-num-batched-tokens 2000000000 needs", error.Message);
        Assert.Equal(0, backend.AllocatedBytes);
    }

    [Fact]
    public void A_loaded_model_stays_within_its_share_of_the_device()
    {
        var backend = new RecordingBackend { DeviceBytes = 256L << 20 };
        using var model = ModelLoader.Load(Fixtures.Haiku, backend, new ModelRunnerOptions { GpuMemoryUtilization = 0.5 });

        var taken = backend.AllocatedBytes + backend.KvCacheBytes + model.ResidentWeightBytes;
        Assert.InRange(taken, 120L << 20, 130L << 20);
        Assert.Equal(model.Capacity.CacheBytes, backend.KvCacheBytes);
        Assert.InRange(backend.AllocatedBytes - model.ActivationBytes, 0, 1 << 20);
    }

    [Theory, MemberData(nameof(ForwardPassTests.Names), MemberType = typeof(ForwardPassTests))]
    public void Memory_for_activations_is_foreseen_to_the_byte(string name)
    {
        const int Tokens = 64, Sequences = 4, BlocksOfSequence = 13;
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(
            Fixtures.Checkpoint(name), backend,
            new ModelRunnerOptions { MaxBatchedTokens = Tokens, MaxSequences = Sequences, MaxModelLength = 200 });

        var ofGroup = Tokens + (Sequences * BlocksOfSequence) + (2 * Sequences);
        var stepTensors = (2 * Tokens) + (Sequences + 1) + Sequences + Sequences + (model.Runner.KvGroups.Count * ofGroup);
        Assert.Equal(backend.AllocatedBytes, model.ActivationBytes + (sizeof(int) * stepTensors));
    }
}
