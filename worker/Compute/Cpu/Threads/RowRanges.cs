namespace Cluster.Worker.Compute.Cpu.Threads;

/// <summary>Cuts an operation on independent rows into tasks that are worth a thread's while.</summary>
internal readonly struct RowRanges<TBody>(int rows, int rowsPerTask, TBody body) : IParallelBody
    where TBody : unmanaged, IRowBody
{
    private const int ElementsPerTask = 8 * 1024;

    /// <summary>An element takes a load, a store and often a transcendental function; a multiply-add of a matrix product has its share of a
    /// vector.</summary>
    private const long OperationsPerElement = 4;

    /// <summary>Runs <paramref name="body"/> for every row.</summary>
    /// <param name="elementsPerRow">Elements the body touches in a row.</param>
    public static void Run(WorkerThreads threads, int rows, int elementsPerRow, TBody body)
    {
        var rowsPerTask = Math.Max(1, ElementsPerTask / Math.Max(1, elementsPerRow));
        threads.Run(
            (rows + rowsPerTask - 1) / rowsPerTask, OperationsPerElement * rows * elementsPerRow,
            new RowRanges<TBody>(rows, rowsPerTask, body));
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
