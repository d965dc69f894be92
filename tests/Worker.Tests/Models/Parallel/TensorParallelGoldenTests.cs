using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models.Checkpoints;
using Cluster.Worker.Tests.Models.Layers;
using Cluster.Worker.Tests.Models.Quantization;
using Cluster.Worker.Tests.Models.Verification;

namespace Cluster.Worker.Tests.Models.Parallel;

/// <summary>Whole checkpoints on several ranks against the results of Hugging Face transformers: the same tolerance and the same greedy
/// tokens as on one.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class TensorParallelGoldenTests
{
    private const float Tolerance = 2e-3f;
    private const float QuantizedTolerance = 1e-4f;

    public static MatrixTheoryData<string, int> Goldens { get; } = new([.. GoldenTests.Goldens.Select(row => row.Data.Item1)], [2, 4]);

    public static MatrixTheoryData<string, int> Quantized { get; } = new(QuantizedCheckpoints.Names, [2, 4]);

    /// <summary>Checkpoint, golden file, tokens of a chunk.</summary>
    public static TheoryData<string, string, int> Chunks { get; } = new(
        from checkpoint in GoldenTests.Goldens.Select(row => (Fixtures.Checkpoint(row.Data.Item1), Fixtures.Golden(row.Data.Item1)))
            .Concat(QuantizedCheckpoints.Names.Select(name => (QuantizedCheckpoints.Folder(name), QuantizedCheckpoints.Golden(name))))
        from chunkSize in new[] { 1, 7 }
        select (checkpoint.Item1, checkpoint.Item2, chunkSize));

    [Theory, MemberData(nameof(Goldens))]
    public void Logits_and_greedy_tokens_are_those_of_the_reference_implementation(string name, int size)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));

        var result = GoldenVerification.Verify(Fixtures.Checkpoint(name), golden, Loader(size), Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name} on {size} ranks: {result}");
        Assert.Equal(golden.Count * golden.Steps, result.GreedyTotal);
        Assert.True(result.MaxAbsDiff > 0, "an exact match means that nothing was compared");
    }

    [Theory, MemberData(nameof(Quantized))]
    public void Logits_of_quantized_checkpoints_are_those_of_the_dequantized_model(string name, int size)
    {
        var golden = GoldenFile.Open(QuantizedCheckpoints.Golden(name));

        var result = GoldenVerification.Verify(QuantizedCheckpoints.Folder(name), golden, Loader(size), QuantizedTolerance);

        Assert.True(result.Passes(QuantizedTolerance), $"{name} on {size} ranks: {result}");
        Assert.True(result.MaxAbsDiff > 0, "an exact match means that nothing was compared");
    }

    /// <summary>Model code alone: the scalar backend has no kernels to blame.</summary>
    [Theory, MemberData(nameof(Goldens))]
    public void Scalar_ranks_have_the_logits_of_the_reference_implementation(string name, int size)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        RunnerLoader load = (config, weights, options) =>
            TensorParallelModel.Load(config, weights, CpuRanks.Group(size), end => new ReferenceBackend(end), options).Runner;

        var result = GoldenVerification.Verify(Fixtures.Checkpoint(name), golden, load, Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name} on {size} ranks: {result}");
    }

    [Theory, MemberData(nameof(Chunks))]
    public void Prefill_in_chunks_gives_the_same_bits_as_prefill_in_one_step(string folder, string goldenFile, int chunkSize)
    {
        var golden = GoldenFile.Open(goldenFile);
        using var model = CpuRanks.Load(folder, 2, golden.RunnerOptions());

        ChunkedPrefill.AssertSameBits(model.Runner, golden, chunkSize);
    }

    /// <summary>317 tokens are cut into 159 and 158, or 80, 80, 80 and 77.</summary>
    [Theory, InlineData("llama2", 2), InlineData("llama2", 4), InlineData("gemma2", 2), InlineData("gemma2", 4)]
    public void A_vocabulary_that_the_ranks_do_not_divide_has_all_its_logits(string name, int size)
    {
        const int VocabSize = 317;
        var checkpoint = Checkpoint.Open(Fixtures.Checkpoint(name));
        var weights = new EditedWeights(checkpoint);
        foreach (var table in checkpoint.Names.Where(tensor => checkpoint.Find(tensor)!.Rows == 320))
        {
            weights.With(table, checkpoint.Find(table)!.RowRange(0, VocabSize));
        }

        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var config = ModelConfig.Load(Fixtures.Checkpoint(name)) with { VocabSize = VocabSize };
        using var whole = ModelLoader.Load(config, weights, CpuBackend.Create(new CpuOptions()), golden.RunnerOptions());
        using var model = CpuRanks.Load(config, weights, size, golden.RunnerOptions());
        int[] prompt = [.. golden.Prompt(0).Select(id => id % VocabSize), VocabSize - 1, 0, VocabSize / 2];

        var (expected, actual) = (Logits(whole.Runner, prompt), Logits(model.Runner, prompt));

        Assert.Equal(prompt.Length * VocabSize, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }

    private static RunnerLoader Loader(int size) => (config, weights, options) => CpuRanks.Load(config, weights, size, options).Runner;

    private static float[] Logits(IModelRunner runner, int[] prompt)
    {
        var sequence = new PackedSequences(runner, 1, prompt.Length);
        sequence.Add(0, prompt);
        return sequence.Run().ToArray();
    }
}
