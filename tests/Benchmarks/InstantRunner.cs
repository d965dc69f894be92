using Cluster.Worker.Models;

namespace Cluster.Benchmarks;

/// <summary>A model that takes no time, so that what is measured around it is the engine: the same random logits in every step.</summary>
internal sealed class InstantRunner : IModelRunner
{
    private readonly float[] logits;
    private int numLogits;

    public InstantRunner(int vocabSize, int maxSequences, int maxModelLength)
    {
        VocabSize = vocabSize;
        MaxSequences = maxSequences;
        MaxModelLength = maxModelLength;
        NumBlocks = maxSequences * ((maxModelLength + BlockSize - 1) / BlockSize);
        var random = new Random(1);
        logits = [.. Enumerable.Range(0, maxSequences * vocabSize).Select(_ => (random.NextSingle() * 8) - 4)];
    }

    public int VocabSize { get; }

    public int BlockSize => 16;

    public int NumBlocks { get; }

    public int MaxModelLength { get; }

    public int MaxBatchedTokens => 2048;

    public int MaxSequences { get; }

    public void Launch(StepBatch batch) => numLogits = batch.NumLogits;

    public ReadOnlySpan<float> WaitForLogits() => logits.AsSpan(0, numLogits * VocabSize);

    public void Dispose()
    {
    }
}
