namespace Cluster.Worker.Compute.Profiling;

/// <summary>Steps of one kind, by operation.</summary>
internal sealed class StepProfile
{
    private readonly Dictionary<string, OperationTotals> _operations = new(StringComparer.Ordinal);

    public int Steps { get; private set; }

    /// <summary>Rows that went through the model.</summary>
    public long Rows { get; private set; }

    public IReadOnlyDictionary<string, OperationTotals> Operations => _operations;

    public OperationTotals Total => _operations.Values.Aggregate(default(OperationTotals), (sum, one) => sum + one);

    public void Begin(int rows)
    {
        Steps++;
        Rows += rows;
    }

    public void Add(string operation, OperationTotals one) =>
        _operations[operation] = _operations.GetValueOrDefault(operation) + one;

    public void Clear()
    {
        (Steps, Rows) = (0, 0);
        _operations.Clear();
    }
}
