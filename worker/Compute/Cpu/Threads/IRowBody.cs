namespace Cluster.Worker.Compute.Cpu.Threads;

/// <summary>An operation whose rows are independent. Called through <see cref="RowRanges{TBody}"/>.</summary>
internal interface IRowBody
{
    void Execute(int row);
}
