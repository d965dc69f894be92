using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Config;

/// <summary>Block-sparse mixture of experts. Part of <see cref="ModelConfig"/>.</summary>
/// <param name="NumExperts">Experts of a layer.</param>
/// <param name="ExpertsPerToken">Experts that each token is routed to.</param>
/// <param name="IntermediateSize">Of one expert.</param>
/// <param name="Routing">How a token's experts are chosen and weighted.</param>
internal sealed record MoeConfig(int NumExperts, int ExpertsPerToken, int IntermediateSize, ExpertRouting Routing)
{
    private const int MaxExperts = 4096;

    /// <summary>Every so many layers have experts, counted from the one before the first.</summary>
    public int SparseStep { get; init; } = 1;

    /// <summary>Layers that have a dense MLP nevertheless.</summary>
    public ImmutableArray<int> DenseLayers { get; init; } = [];

    public bool HasExperts(int layer) => (layer + 1) % SparseStep == 0 && !DenseLayers.Contains(layer);

    /// <summary>Reads the numbers of experts; <c>num_experts</c> and <c>num_local_experts</c> mean the same.</summary>
    /// <exception cref="ModelConfigException">A field is missing or out of range.</exception>
    public static MoeConfig Read(ConfigObject json, int intermediateSize, ExpertRouting routing)
    {
        var experts = json.WithAliases(("num_local_experts", "num_experts")).Integer("num_local_experts", 1, MaxExperts);
        var chosen = json.Integer("num_experts_per_tok", 1, MaxExperts);
        return chosen <= experts
            ? new MoeConfig(experts, chosen, intermediateSize, routing)
            : throw json.Invalid("num_experts_per_tok", $"is {chosen}; there are {experts} experts");
    }
}
