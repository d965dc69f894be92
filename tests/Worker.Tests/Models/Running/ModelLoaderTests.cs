using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models.Checkpoints;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Running;

public sealed class ModelLoaderTests
{
    private static readonly ModelRunnerOptions Options = new() { MaxBatchedTokens = 64, MaxSequences = 4, MaxModelLength = 200 };

    [Fact]
    public void A_folder_that_does_not_exist_is_named()
    {
        var error = Assert.Throws<DirectoryNotFoundException>(() => ModelLoader.Load("/no/such/model", new RecordingBackend(), Options));

        Assert.Equal("model folder '/no/such/model' does not exist", error.Message);
    }

    [Fact]
    public void A_failed_load_gives_the_device_back()
    {
        var backend = new RecordingBackend();

        Assert.Throws<DirectoryNotFoundException>(() => ModelLoader.Load("/no/such/model", backend, Options));

        Assert.True(backend.Disposed);
    }

    [Fact]
    public void The_cache_can_be_given_its_bytes()
    {
        using var model = ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), Options with { KvCacheBytes = 1_000_000 });

        var perBlock = model.Capacity.Cache.BytesPerBlock;
        Assert.Equal(1_000_000 / perBlock, model.Capacity.Cache.NumBlocks);
    }

    [Fact]
    public void Disposing_a_model_gives_the_device_back()
    {
        var backend = new RecordingBackend();
        var model = ModelLoader.Load(Fixtures.Haiku, backend, Options);
        Assert.False(backend.Disposed);

        model.Dispose();

        Assert.True(backend.Disposed);
    }

    [Fact]
    public void The_runner_reports_what_it_can_take()
    {
        using var model = ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), Options);

        var runner = model.Runner;
        Assert.Equal((1024, 16, 52, 200), (runner.VocabSize, runner.BlockSize, runner.NumBlocks, runner.MaxModelLength));
        Assert.Equal((64, 4, 4), (runner.MaxBatchedTokens, runner.MaxSequences, runner.MaxLogits));
    }

    [Fact]
    public void Progress_rises_to_the_checkpoints_bytes_and_names_tensors()
    {
        var reports = new Reports();
        using var model = ModelLoader.Load(Fixtures.Checkpoint("llama2"), new RecordingBackend(), Options, reports);

        // Embedding, 6 loads a layer, final norm, output.
        Assert.Equal(1 + (3 * 6) + 2, reports.Values.Count);
        Assert.Equal(reports.Values.Select(report => report.BytesDone).Order(), reports.Values.Select(report => report.BytesDone));
        Assert.All(reports.Values, report => Assert.Equal(365_440, report.BytesTotal));
        Assert.Equal(new LoadProgress(365_440, 365_440, "lm_head"), reports.Values[^1]);
        Assert.Equal("model.embed_tokens.weight", reports.Values[0].Tensor);
    }

    [Fact]
    public void A_tied_table_is_counted_once_in_progress_and_twice_in_residence()
    {
        var reports = new Reports();
        using var model = ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), Options, reports);

        Assert.Equal(2_231_040, reports.Values[^1].BytesDone);

        // The recording backend keeps bf16 matrices as they are and norms as floats.
        Assert.Equal(2_231_040 + (1024 * 128 * 2) + (11 * 128 * 2), model.ResidentWeightBytes);
    }

    [Theory]
    [InlineData("lm_head.weight", "[320, 64]")]
    [InlineData("model.norm.weight", "[64]")]
    [InlineData("model.embed_tokens.weight", "[320, 64]")]
    [InlineData("model.layers.1.self_attn.k_proj.weight", "[64, 64]")]
    [InlineData("model.layers.2.mlp.down_proj.weight", "[64, 160]")]
    public void A_missing_tensor_is_named_with_the_shape_it_should_have(string name, string shape)
    {
        var error = Refused("llama2", weights => weights.Without(name));

        Assert.Equal(name, error.Tensor);
        Assert.Contains($"tensor '{name}' is missing; config.json calls for it with shape {shape}", error.Message);
    }

    [Fact]
    public void A_missing_bias_is_named()
    {
        Assert.Equal(
            "model.layers.0.self_attn.o_proj.bias",
            Refused("llama-tied", weights => weights.Without("model.layers.0.self_attn.o_proj.bias")).Tensor);
    }

    [Fact]
    public void A_tensor_of_another_shape_is_named_with_both_shapes()
    {
        var error = Refused(
            "llama2", weights => weights.With("model.layers.0.mlp.up_proj.weight", sameAs: "model.layers.0.mlp.down_proj.weight"));

        Assert.Contains("tensor 'model.layers.0.mlp.up_proj.weight' has shape [64, 160]; config.json calls for [160, 64]", error.Message);
    }

    [Fact]
    public void Tensors_without_a_place_are_refused()
    {
        var error = Refused(
            "llama2",
            weights =>
                weights.With("model.layers.3.mlp.up_proj.weight", sameAs: "model.norm.weight").With("extra", sameAs: "model.norm.weight"));

        Assert.Contains("has 2 tensors that config.json has no place for: 'extra', 'model.layers.3.mlp.up_proj.weight'", error.Message);
    }

    [Fact]
    public void Tensors_that_no_computation_needs_are_ignored()
    {
        var weights = new EditedWeights(Checkpoint.Open(Fixtures.Haiku))
            .With("model.layers.0.self_attn.rotary_emb.inv_freq", sameAs: "model.norm.weight")
            .With("lm_head.weight", sameAs: "model.embed_tokens.weight");

        using var model = ModelLoader.Load(ModelConfig.Load(Fixtures.Haiku), weights, new RecordingBackend(), Options);

        Assert.True(model.Config.TieWordEmbeddings);
    }

    [Fact]
    public void Biases_of_an_mlp_are_read_where_the_configuration_says_so()
    {
        var config = ModelConfig.Load(Fixtures.Checkpoint("llama2")) with { MlpBias = true };
        var weights = new EditedWeights(Checkpoint.Open(Fixtures.Checkpoint("llama2")));

        var error = Assert.Throws<CheckpointFormatException>(() => ModelLoader.Load(config, weights, new RecordingBackend(), Options));

        Assert.Equal("model.layers.0.mlp.gate_proj.bias", error.Tensor);
    }

    private static CheckpointFormatException Refused(string golden, Func<EditedWeights, EditedWeights> edit)
    {
        var folder = Fixtures.Checkpoint(golden);
        var weights = edit(new EditedWeights(Checkpoint.Open(folder)));
        return Assert.Throws<CheckpointFormatException>(
            () => ModelLoader.Load(ModelConfig.Load(folder), weights, new RecordingBackend(), Options));
    }

    private sealed class Reports : IProgress<LoadProgress>
    {
        public List<LoadProgress> Values { get; } = [];

        public void Report(LoadProgress value) => Values.Add(value);
    }
}
