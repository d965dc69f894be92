using Cluster.Worker.Models.Running;

namespace Cluster.Benchmarks;

/// <summary>A model that takes no time, so that what is measured around it is the engine: the same random logits in every step.</summary>
internal sealed class InstantRunner : IModelRunner
{
    private readonly float[] _logits;
    private int _numLogits;

    public InstantRunner(int vocabSize, int maxSequences, int maxModelLength)
    {
        VocabSize = vocabSize;
        MaxSequences = maxSequences;
        MaxModelLength = maxModelLength;
        NumBlocks = maxSequences * ((maxModelLength + BlockSize - 1) / BlockSize);
        var random = new Random(1);
        _logits = [.. Enumerable.Range(0, maxSequences * vocabSize).Select(_ => (random.NextSingle() * 8) - 4)];
    }

    public int VocabSize { get; }

    public int BlockSize => 16;

    public int NumBlocks { get; }

    public int MaxModelLength { get; }

    public int MaxBatchedTokens => 2048;

    public int MaxSequences { get; }

    public void Launch(StepBatch batch) => _numLogits = batch.NumLogits;

    public ReadOnlySpan<float> WaitForLogits() => _logits.AsSpan(0, _numLogits * VocabSize);

    public void Dispose()
    {
    }
}
