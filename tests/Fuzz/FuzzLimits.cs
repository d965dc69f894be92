namespace Cluster.Fuzz;

/// <summary>What one input may take. Far above what a sound one needs, far below what a trusted length would take.</summary>
/// <param name="AllocatedBytes">Of all threads together, freed again or not.</param>
/// <param name="ProcessorTime">Of the process: a machine that is busy with something else does not count.</param>
/// <param name="Cost">How many inputs of the cheapest targets take as long as one of this.</param>
internal sealed record FuzzLimits(long AllocatedBytes, TimeSpan ProcessorTime, int Cost = 1)
{
    public static FuzzLimits Default { get; } = new(256L << 20, TimeSpan.FromSeconds(10));
}
