using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>A rank's runner that leaves its group when it fails or ends: the other ranks then stop at once instead of waiting until they
/// lose patience. Called by <see cref="TensorParallelRunner"/>.</summary>
internal sealed class RankRunner(IModelRunner runner, Communicator end) : DelegatingRunner(runner)
{
    public override void Launch(StepBatch batch)
    {
        try
        {
            base.Launch(batch);
        }
        catch
        {
            end.Dispose();
            throw;
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        end.Dispose();
    }
}
