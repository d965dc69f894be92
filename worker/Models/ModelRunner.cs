using Cluster.Worker.Compute;

namespace Cluster.Worker.Models;

/// <summary>Runs steps of a <see cref="Transformer"/>: uploads the batch, enqueues the pass, downloads logits. Called by the engine's thread;
/// made by <see cref="ModelLoader"/>. Owns its backend: disposing the runner disposes it.</summary>
internal sealed class ModelRunner : IModelRunner
{
    private readonly Backend backend;
    private readonly Transformer transformer;
    private readonly VocabularyShards vocabulary;
    private readonly KvCache cache;
    private readonly StepTensors tensors;
    private float[] hostLogits = [];
    private Tensor? launched;

    /// <param name="plan">Longest sequence and size of the cache, which is allocated here.</param>
    /// <param name="maxLogits">Most rows of one step that need logits.</param>
    public ModelRunner(Backend backend, Shard shard, Transformer transformer, CapacityPlan plan, int maxTokens, int maxSequences, int maxLogits)
    {
        this.backend = backend;
        this.transformer = transformer;
        vocabulary = shard.Vocabulary;
        VocabSize = shard.Config.VocabSize;
        BlockSize = plan.Cache.BlockSize;
        NumBlocks = plan.Cache.NumBlocks;
        MaxModelLength = plan.MaxModelLength;
        MaxBatchedTokens = maxTokens;
        MaxSequences = maxSequences;
        MaxLogits = maxLogits;
        tensors = new StepTensors(backend, maxTokens, maxSequences, maxLogits, plan.MaxModelLength, BlockSize);
        cache = backend.AllocateKvCache(plan.Cache);
    }

    public int VocabSize { get; }

    public int BlockSize { get; }

    public int NumBlocks { get; }

    public int MaxModelLength { get; }

    public int MaxBatchedTokens { get; }

    public int MaxSequences { get; }

    /// <summary>Most rows of one step that need logits.</summary>
    public int MaxLogits { get; }

    /// <exception cref="ArgumentOutOfRangeException">The batch is empty or exceeds a limit of this runner.</exception>
    public void Launch(StepBatch batch)
    {
        Check(batch.NumTokens, 1, MaxBatchedTokens, "tokens");
        Check(batch.NumSequences, 1, MaxSequences, "sequences");
        Check(batch.NumLogits, 0, MaxLogits, "logits");
        Check(batch.MaxQueryLength, 1, batch.NumTokens, "rows of the longest query");
        Check(batch.MaxContextLength, batch.MaxQueryLength, MaxModelLength, "tokens of the longest context");
        Check(batch.MaxBlocks * BlockSize, batch.MaxContextLength, int.MaxValue, "slots of a block table");
        Check(batch.NumBlockCopies, 0, batch.NumSequences, "block copies");
        var inputs = tensors.Upload(batch);
        if (batch.NumBlockCopies > 0)
        {
            backend.CopyKvBlocks(cache, inputs.BlockCopies);
        }

        launched = transformer.Forward(inputs, cache);
    }

    /// <exception cref="InvalidOperationException">Nothing was launched.</exception>
    public ReadOnlySpan<float> WaitForLogits()
    {
        var logits = launched ?? throw new InvalidOperationException("no step was launched");
        var count = logits.Rows * logits.Columns;
        if (hostLogits.Length < count)
        {
            // Doubled, so that a slowly growing batch does not allocate at every step. Pinned: a GPU copies into it directly.
            hostLogits = GC.AllocateUninitializedArray<float>(Math.Max(count, (int)Math.Min(2L * hostLogits.Length, (long)MaxLogits * logits.Columns)), pinned: true);
        }

        backend.Download(logits, hostLogits.AsSpan(0, count));
        return vocabulary.Compact(hostLogits.AsSpan(0, count), logits.Rows);
    }

    public void Dispose() => backend.Dispose();

    private static void Check(int value, int min, int max, string what)
    {
        if (value < min || value > max)
        {
            throw new ArgumentOutOfRangeException(nameof(value), value, $"a step of {value} {what} was launched; this runner takes {min} to {max}");
        }
    }
}
