namespace Cluster.Worker.Compute.Profiling;

/// <summary>One kind of operation over all steps of a kind, added up.</summary>
/// <param name="Calls">How often the model asked for it.</param>
/// <param name="Launches">Kernels that it took; on the CPU, as many as calls.</param>
/// <param name="Bytes">What it must at least read and write: weights, activations, keys and values, each once.</param>
/// <param name="Operations">Of its arithmetic; a multiply-add is two.</param>
/// <param name="Seconds">Until it was done.</param>
internal readonly record struct OperationTotals(long Calls, long Launches, double Bytes, double Operations, double Seconds)
{
    public static OperationTotals operator +(OperationTotals a, OperationTotals b) => new(
        a.Calls + b.Calls, a.Launches + b.Launches, a.Bytes + b.Bytes, a.Operations + b.Operations, a.Seconds + b.Seconds);
}
