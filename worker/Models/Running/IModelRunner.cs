using Cluster.Worker.Draws;

namespace Cluster.Worker.Models.Running;

/// <summary>Runs steps on a device. Implemented by <c>ModelRunner</c> (a transformer on a backend); the engine's tests have a fake.
/// Called by one thread, the engine's.</summary>
internal interface IModelRunner : IDisposable
{
    int VocabSize { get; }

    /// <summary>Token slots of a KV block.</summary>
    int BlockSize { get; }

    /// <summary>Blocks in the KV cache, for all groups together.</summary>
    int NumBlocks { get; }

    /// <summary>The groups of layers that have block tables of their own.</summary>
    KvGroups KvGroups => KvGroups.One;

    /// <summary>Longest sequence, prompt and output together.</summary>
    int MaxModelLength { get; }

    /// <summary>Most rows one step may have.</summary>
    int MaxBatchedTokens { get; }

    /// <summary>Most sequences one step may have.</summary>
    int MaxSequences { get; }

    /// <summary>Most rows of one step whose logits may be wanted; at least one for each sequence.</summary>
    int MaxLogits => MaxSequences;

    /// <summary>Whether <see cref="Launch"/> returns before the step is computed, so that the caller has something to gain from working
    /// meanwhile.</summary>
    bool RunsInBackground => false;

    /// <summary>Whether steps may have <see cref="StepBatch.Draws"/>.</summary>
    bool SamplesOnDevice => false;

    /// <summary>Tokens chosen in the step that was waited for, in the order of its draws; valid until the next
    /// <see cref="Launch"/>.</summary>
    ReadOnlySpan<DrawResult> Drawn => [];

    /// <summary>Changes while a step is being computed: who sees it change knows that a long step does not hang. May be read on any
    /// thread.</summary>
    long Progress => 0;

    /// <summary>Starts a step; does not wait for a device that works asynchronously. The batch may be reused after
    /// <see cref="WaitForLogits"/>.</summary>
    void Launch(StepBatch batch);

    /// <summary>Waits for the step last launched. Row-major <c>[NumLogits, VocabSize]</c>, valid until the next
    /// <see cref="Launch"/>. Rows that draws were made from have undefined contents.</summary>
    ReadOnlySpan<float> WaitForLogits();
}
