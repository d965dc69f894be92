namespace Cluster.Worker.Benchmarking;

/// <summary>Steps of one kind, added up.</summary>
/// <param name="Rows">Tokens that went through the model.</param>
/// <param name="Seconds">In the model: from launching to the logits.</param>
/// <param name="Bytes">By <see cref="ModelCost.Bytes"/>.</param>
/// <param name="Operations">By <see cref="ModelCost.Operations"/>.</param>
internal readonly record struct StepTotals(int Steps, long Rows, double Seconds, double Bytes, double Operations)
{
    public double RowsPerSecond => Steps == 0 ? 0 : Rows / Seconds;

    public double GigabytesPerSecond => Steps == 0 ? 0 : Bytes * 1e-9 / Seconds;

    public double GflopsPerSecond => Steps == 0 ? 0 : Operations * 1e-9 / Seconds;

    public StepTotals Add(long rows, double seconds, double bytes, double operations) =>
        new(Steps + 1, Rows + rows, Seconds + seconds, Bytes + bytes, Operations + operations);
}
