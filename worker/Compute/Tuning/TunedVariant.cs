namespace Cluster.Worker.Compute.Tuning;

/// <summary>The fastest variant of a multiplication.</summary>
/// <param name="Name">As the backend calls it (<see cref="Backend.VariantsOf"/>).</param>
/// <param name="Milliseconds">What it took.</param>
internal readonly record struct TunedVariant(string Name, double Milliseconds)
{
    /// <summary>What is done where nothing was tuned, in TunableOp's word.</summary>
    public const string Default = "Default";
}
