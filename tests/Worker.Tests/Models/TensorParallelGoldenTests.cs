using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models;
using Cluster.Worker.Tests.Models.Quantization;
using Xunit;

namespace Cluster.Worker.Tests.Models;

/// <summary>Whole checkpoints on several ranks against the results of Hugging Face transformers: the same tolerance and the same greedy tokens as on one.</summary>
public sealed class TensorParallelGoldenTests
{
    private const float Tolerance = 2e-3f;
    private const float QuantizedTolerance = 1e-4f;

    public static MatrixTheoryData<string, int> Goldens { get; } = new([.. GoldenTests.Goldens.Select(row => row.Data.Item1)], [2, 4]);

    public static MatrixTheoryData<string, int> Quantized { get; } = new(QuantizedCheckpoints.Names, [2, 4]);

    public static MatrixTheoryData<string, int> Chunks { get; } = new(["haiku-1m", "mixtral", "gemma2", "phi", "bloom", "opt", "qwen3"], [1, 7]);

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

    private static RunnerLoader Loader(int size) => (config, weights, options) => TensorParallelModel.Load(config, weights, BarrierCommunicator.CreateGroup(size), end => new ReferenceBackend(end), options).Runner;
}
