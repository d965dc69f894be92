using Cluster.Worker.Models;

namespace Cluster.Benchmarks;

/// <summary>Lends a runner to an engine that would dispose it.</summary>
internal sealed class SharedRunner(IModelRunner runner) : IModelRunner
{
    public int VocabSize => runner.VocabSize;

    public int BlockSize => runner.BlockSize;

    public int NumBlocks => runner.NumBlocks;

    public int MaxModelLength => runner.MaxModelLength;

    public int MaxBatchedTokens => runner.MaxBatchedTokens;

    public int MaxSequences => runner.MaxSequences;

    public int MaxLogits => runner.MaxLogits;

    public void Launch(StepBatch batch) => runner.Launch(batch);

    public ReadOnlySpan<float> WaitForLogits() => runner.WaitForLogits();

    public void Dispose()
    {
        // Whoever lent it does.
    }
}
