namespace Cluster.Worker.Engine;

/// <summary>From where on an output has to keep to its <see cref="Constraint"/>: behind the thinking of a model, which is free. Part of
/// <see cref="SamplingParameters"/>.</summary>
/// <param name="Ends">The constraint holds for what follows the first of these texts.</param>
internal sealed record ConstraintDelay(IReadOnlyList<string> Ends)
{
    /// <summary>Texts that the free part begins with. An output that begins otherwise keeps to the constraint from its beginning. Empty
    /// where all outputs begin with a free part.</summary>
    public IReadOnlyList<string> Openings { get; init; } = [];
}
