using System.Collections.Immutable;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>The experts of a model.</summary>
/// <param name="Count">Routed experts of a layer that has any.</param>
/// <param name="IntermediateSize">Of each.</param>
/// <param name="InLayer">Of each layer, whether it has experts; the others have one MLP.</param>
internal sealed record ExpertShape(int Count, int IntermediateSize, ImmutableArray<bool> InLayer)
{
    /// <summary>Of the expert that every token goes through as well; 0 where there is none. Several that do are one.</summary>
    public int SharedIntermediateSize { get; init; }

    /// <summary>Routed experts that a token goes through.</summary>
    public int PerToken { get; init; } = 1;

    /// <summary>The router adds a learned correction for each expert.</summary>
    public bool Correction { get; init; }

    /// <summary>A learned gate scales the shared expert (Qwen 2).</summary>
    public bool SharedGate { get; init; }

    /// <summary>Router and experts have biases (gpt-oss).</summary>
    public bool Biases { get; init; }

    public int Layers { get; } = InLayer.Count(has => has);
}
