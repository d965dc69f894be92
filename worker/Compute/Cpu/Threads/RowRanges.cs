namespace Cluster.Worker.Compute.Cpu.Threads;

/// <summary>Cuts an operation on independent rows into tasks that are worth a thread's while.</summary>
internal readonly struct RowRanges<TBody>(int rows, int rowsPerTask, TBody body) : IParallelBody
    where TBody : unmanaged, IRowBody
{
    private const int ElementsPerTask = 16 * 1024;

    /// <summary>Runs <paramref name="body"/> for every row.</summary>
    /// <param name="elementsPerRow">Elements the body touches in a row.</param>
    public static void Run(WorkerThreads threads, int rows, int elementsPerRow, TBody body)
    {
        var rowsPerTask = Math.Max(1, ElementsPerTask / Math.Max(1, elementsPerRow));
        threads.Run((rows + rowsPerTask - 1) / rowsPerTask, (long)rows * elementsPerRow, new RowRanges<TBody>(rows, rowsPerTask, body));
    }

    public void Execute(int task, int worker)
    {
        var end = Math.Min((task + 1) * rowsPerTask, rows);
        for (var row = task * rowsPerTask; row < end; row++)
        {
            body.Execute(row);
        }
    }
}
