namespace Cluster.Worker.Compute.Cpu.Threads;

/// <summary>Work that <see cref="WorkerThreads.Run"/> splits. An unmanaged struct of pointers and sizes, so that starting it allocates
/// nothing.</summary>
internal interface IParallelBody
{
    /// <param name="task">Which piece, <c>[0, tasks)</c>; each is executed once. Its result must not depend on which worker executes
    /// it.</param>
    /// <param name="worker">Who executes it, <c>[0, WorkerThreads.Count)</c>: picks a scratch area nobody else uses meanwhile.</param>
    void Execute(int task, int worker);
}
