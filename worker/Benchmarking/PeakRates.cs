namespace Cluster.Worker.Benchmarking;

/// <summary>What a device can do at most.</summary>
/// <param name="Source">Where the figures come from, such as <c>measured</c>.</param>
/// <param name="GigabytesPerSecond">Of its memory.</param>
/// <param name="GflopsPerSecond">Of multiply-adds, two operations each; on GPUs of dense bf16 on matrix cores.</param>
internal sealed record PeakRates(string Source, double GigabytesPerSecond, double GflopsPerSecond)
{
    private const string Measured = "measured in this run";

    public bool IsMeasured => Source == Measured;

    /// <summary>AMD's data sheet.</summary>
    public static PeakRates Mi300X { get; } = new("MI300X, 5.3 TB/s, 1.3 PFLOP/s bf16", 5300, 1_307_400);

    /// <summary>Data sheets, by what the names of devices contain; the longer name first.</summary>
    private static readonly (string Name, PeakRates Rates)[] Known =
    [
        ("MI355X", new("MI355X, 8 TB/s, 2.5 PFLOP/s bf16", 8000, 2_500_000)),
        ("MI350X", new("MI350X, 8 TB/s, 2.3 PFLOP/s bf16", 8000, 2_300_000)),
        ("MI325X", new("MI325X, 6 TB/s, 1.3 PFLOP/s bf16", 6000, 1_307_400)),
        ("MI300X", Mi300X),
        ("MI250X", new("one die of MI250X, 1.6 TB/s, 191 TFLOP/s bf16", 1638, 191_500)),
        ("MI210", new("MI210, 1.6 TB/s, 181 TFLOP/s bf16", 1638, 181_000)),
        ("H200", new("H200, 4.8 TB/s, 989 TFLOP/s bf16", 4800, 989_400)),
        ("H100", new("H100, 3.35 TB/s, 989 TFLOP/s bf16", 3350, 989_400)),
        ("A100", new("A100, 2 TB/s, 312 TFLOP/s bf16", 2039, 312_000)),
    ];

    /// <summary>Of a machine that was measured in the same run.</summary>
    public static PeakRates Of(Ceilings ceilings) => new(Measured, ceilings.GigabytesPerSecond, ceilings.GflopsPerSecond);

    /// <param name="device">As a backend describes it.</param>
    /// <returns>Null where no data sheet is known here.</returns>
    public static PeakRates? Of(string device)
    {
        foreach (var (name, rates) in Known)
        {
            if (device.Contains(name, StringComparison.OrdinalIgnoreCase))
            {
                return rates;
            }
        }

        return null;
    }

    /// <summary>The least time that so much work takes: memory and arithmetic may go on at once.</summary>
    public double LeastSeconds(double bytes, double operations) =>
        Math.Max(bytes * 1e-9 / GigabytesPerSecond, operations * 1e-9 / GflopsPerSecond);

    public bool IsBoundByMemory(double bytes, double operations) => bytes / GigabytesPerSecond >= operations / GflopsPerSecond;
}
