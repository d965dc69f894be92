using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models.Checkpoints;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Verification;

public sealed class GoldenVerificationTests
{
    private const string Ids = """ "input_ids":{"dtype":"I64","shape":[1,2],"data_offsets":[0,16]} """;

    public static TheoryData<string, int, string> BadGoldens { get; } = new()
    {
        { "{}", 0, "tensor 'input_ids' is missing" },
        { $$"""{ {{Ids}} }""", 16, "has neither 'logits' nor 'greedy_ids'" },
        { """{"input_ids":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}""", 8, "tensor 'input_ids' is F32 [1, 2]; expected I64 or I32" },
        { """{"input_ids":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}""", 8, "tensor 'input_ids' is I32 [2]" },
        { """{"input_ids":{"dtype":"I32","shape":[1,0],"data_offsets":[0,0]}}""", 0, "tensor 'input_ids' is I32 [1, 0]" },
        { $$"""{ {{Ids}}, "greedy_ids":{"dtype":"I32","shape":[2,1],"data_offsets":[16,24]} }""", 24, "tensor 'greedy_ids' has 2 rows; "
            + "input_ids has 1" },
        { $$"""{ {{Ids}}, "logits":{"dtype":"F32","shape":[1,3,1],"data_offsets":[16,28]} }""", 28, "tensor 'logits' is F32 [1, 3, 1]; "
            + "expected F32 [1, 2, vocabulary]" },
        { $$"""{ {{Ids}}, "logits":{"dtype":"BF16","shape":[1,2,1],"data_offsets":[16,20]} }""", 20, "tensor 'logits' is BF16" },
    };

    [Theory, MemberData(nameof(BadGoldens))]
    public void A_golden_file_of_the_wrong_shape_is_refused(string header, int dataBytes, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.WriteSafetensors("golden.safetensors", header, dataBytes);

        Assert.Contains(reason, Assert.Throws<CheckpointFormatException>(() => GoldenFile.Open(path)).Message);
    }

    [Fact]
    public void A_golden_of_another_vocabulary_is_refused()
    {
        var golden = GoldenFile.Open(Fixtures.Golden("llama2"));
        using var model = ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), golden.RunnerOptions());

        var error = Assert.Throws<CheckpointFormatException>(() => GoldenVerification.Run(model.Runner, golden));

        Assert.Contains("tensor 'logits' has 320 columns; the model's vocabulary has 1024", error.Message);
    }

    [Fact]
    public void Ids_outside_the_vocabulary_are_refused()
    {
        using var folder = new TemporaryFolder();
        var path = folder.WriteSafetensors(
            "golden.safetensors", $$"""{ {{Ids}}, "greedy_ids":{"dtype":"I32","shape":[1,1],"data_offsets":[16,20]} }""", 20);
        using var model = ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), GoldenFile.Open(path).RunnerOptions());

        Assert.Contains(
            "tensor 'input_ids' has id",
            Assert.Throws<CheckpointFormatException>(() => GoldenVerification.Run(model.Runner, GoldenFile.Open(path))).Message);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(float.NaN)]
    public void Wrong_logits_do_not_pass(float logit)
    {
        var golden = GoldenFile.Open(Fixtures.Golden("llama2"));

        var result = GoldenVerification.Verify(
            Fixtures.Checkpoint("llama2"), golden, () => new RecordingBackend { DownloadedValue = logit, Recording = false }, 2e-3f);

        Assert.False(result.Passes(2e-3f));
        Assert.Equal(float.IsNaN(logit), float.IsNaN(result.MaxAbsDiff!.Value));
        Assert.Equal(96, result.GreedyTotal);
    }

    [Fact]
    public void Another_model_of_the_same_shape_does_not_pass()
    {
        var golden = GoldenFile.Open(Fixtures.Golden("llama2"));
        var folder = Fixtures.Checkpoint("llama2");
        var swapped = new EditedWeights(Checkpoint.Open(folder))
            .With("model.layers.1.self_attn.k_proj.weight", sameAs: "model.layers.1.self_attn.v_proj.weight");
        using var model = ModelLoader.Load(ModelConfig.Load(folder), swapped, new ReferenceBackend(), golden.RunnerOptions());

        Assert.False(GoldenVerification.Run(model.Runner, golden).Passes(0.1f));
    }

    [Fact]
    public void A_result_reads_as_one_line()
    {
        Assert.Equal("max_abs_diff=1.234E-05 greedy_match=96/96", new GoldenResult(1.2344e-5f, 96, 96).ToString());
        Assert.Equal("max_abs_diff=0.0625 greedy_match=0/0", new GoldenResult(0.0625f, 0, 0).ToString());
        Assert.Equal("max_abs_diff=none greedy_match=3/4", new GoldenResult(null, 3, 4).ToString());
        Assert.Equal(
            "max_abs_diff=0 greedy_match=0/0 rope_frequencies=bf16",
            (new GoldenResult(0, 0, 0) with { RopeFrequencyDType = DType.BF16 }).ToString());
    }

    [Theory]
    [InlineData(2e-3f, 4, true)]
    [InlineData(3e-3f, 4, false)]
    [InlineData(2e-3f, 3, false)]
    [InlineData(float.NaN, 4, false)]
    [InlineData(null, 4, true)]
    public void A_result_passes_when_logits_are_close_and_tokens_equal(float? difference, int matches, bool passes)
    {
        Assert.Equal(passes, new GoldenResult(difference, matches, 4).Passes(2e-3f));
    }

    [Theory]
    [InlineData(5, 10, "5 sequences of 10 tokens")]
    [InlineData(1, 201, "1 sequences of 201 tokens")]
    public void Sequences_that_do_not_fit_the_runner_are_refused(int count, int length, string named)
    {
        using var model = ModelLoader.Load(
            Fixtures.Haiku, new RecordingBackend(),
            new ModelRunnerOptions { MaxBatchedTokens = 64, MaxSequences = 4, MaxModelLength = 200 });

        Assert.Contains(named, Assert.Throws<ArgumentException>(() => new PackedSequences(model.Runner, count, length)).Message);
    }

    [Fact]
    public void Uniform_logits_have_the_perplexity_of_the_vocabulary()
    {
        using var model = ModelLoader.Load(
            Fixtures.Haiku, new RecordingBackend { DownloadedValue = 0.5f, Recording = false },
            new ModelRunnerOptions { MaxBatchedTokens = 4, MaxSequences = 1, MaxLogits = 3, MaxModelLength = 10 });

        // Windows of 10 in steps of 3 rows, and a last window of 2.
        Assert.Equal(1024, Perplexity.Evaluate(model.Runner, new int[22], 10), 1e-6);
    }
}
