using Cluster.Worker.Draws;

namespace Cluster.Worker.Models.Running;

/// <summary>A runner in front of another, which it owns: passes everything on. For those that change one thing about it.</summary>
internal abstract class DelegatingRunner(IModelRunner inner) : IModelRunner
{
    public virtual bool RunsInBackground => Inner.RunsInBackground;

    public virtual bool SamplesOnDevice => Inner.SamplesOnDevice;

    public ReadOnlySpan<DrawResult> Drawn => Inner.Drawn;

    public int VocabSize => Inner.VocabSize;

    public int BlockSize => Inner.BlockSize;

    public int NumBlocks => Inner.NumBlocks;

    public KvGroups KvGroups => Inner.KvGroups;

    public int MaxModelLength => Inner.MaxModelLength;

    public int MaxBatchedTokens => Inner.MaxBatchedTokens;

    public int MaxSequences => Inner.MaxSequences;

    public int MaxLogits => Inner.MaxLogits;

    public long Progress => Inner.Progress;

    protected IModelRunner Inner { get; } = inner;

    public virtual void Launch(StepBatch batch) => Inner.Launch(batch);

    public virtual ReadOnlySpan<float> WaitForLogits() => Inner.WaitForLogits();

    public virtual void Dispose() => Inner.Dispose();
}
