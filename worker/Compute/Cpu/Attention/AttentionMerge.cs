using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>The second half of an <see cref="AttentionJob{V, TSimd, TCodes}"/> whose tasks share contexts. A task is one of those that
/// would have had a whole context.</summary>
internal readonly struct AttentionMerge<V, TSimd, TCodes>(AttentionJob<V, TSimd, TCodes> job) : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : ICacheCodes<TCodes>
{
    public void Execute(int task, int worker) => job.Merge(task, worker);
}
