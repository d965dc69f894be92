using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Models;

/// <summary>A rank's runner that leaves its group when it fails or ends: the other ranks then stop at once instead of waiting until they lose patience.
/// Called by <see cref="TensorParallelRunner"/>.</summary>
internal sealed class RankRunner(IModelRunner runner, Communicator end) : IModelRunner
{
    public int VocabSize => runner.VocabSize;

    public int BlockSize => runner.BlockSize;

    public int NumBlocks => runner.NumBlocks;

    public int MaxModelLength => runner.MaxModelLength;

    public int MaxBatchedTokens => runner.MaxBatchedTokens;

    public int MaxSequences => runner.MaxSequences;

    public int MaxLogits => runner.MaxLogits;

    public void Launch(StepBatch batch)
    {
        try
        {
            runner.Launch(batch);
        }
        catch
        {
            end.Dispose();
            throw;
        }
    }

    public ReadOnlySpan<float> WaitForLogits() => runner.WaitForLogits();

    public void Dispose()
    {
        runner.Dispose();
        end.Dispose();
    }
}
