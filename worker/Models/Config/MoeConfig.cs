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

    /// <summary>What <c>num_local_experts</c> is called elsewhere.</summary>
    private static readonly string[] Spellings = ["num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"];

    /// <summary>Layers that have a dense MLP nevertheless.</summary>
    public ImmutableArray<int> DenseLayers { get; init; } = [];

    /// <summary>Of the MLP that every token passes through besides its experts; 0 means none.</summary>
    public int SharedIntermediateSize { get; init; }

    /// <summary>The shared MLP's output is multiplied by the sigmoid of a projection of its input.</summary>
    public bool SharedGate { get; init; }

    public RoutingCorrection Correction { get; init; }

    public bool RouterBias { get; init; }

    /// <summary>The experts' projections have biases.</summary>
    public bool ExpertBias { get; init; }

    /// <summary>An expert's weight multiplies what goes into it, instead of what comes out.</summary>
    public bool WeighsInputs { get; init; }

    /// <summary>Experts have gpt-oss's non-linearity with this limit, see <see cref="Backend.ClampedActivation"/>;
    /// <see cref="ModelConfig.Activation"/> is not asked.</summary>
    public float? ActivationLimit { get; init; }

    public bool HasExperts(int layer) => !DenseLayers.Contains(layer);

    /// <summary>The layers of a model that have no experts.</summary>
    public static ImmutableArray<int> Without(int numLayers, Predicate<int> hasExperts) =>
        [.. Enumerable.Range(0, numLayers).Where(layer => !hasExperts(layer))];

    /// <summary>Reads the numbers of experts, in any spelling.</summary>
    /// <exception cref="ModelConfigException">A field is missing or out of range.</exception>
    public static MoeConfig Read(ConfigObject json, int intermediateSize, ExpertRouting routing)
    {
        var experts = json.Integer(Array.Find(Spellings, json.Has) ?? Spellings[0], 1, MaxExperts);
        var chosen = json.Integer("num_experts_per_tok", 1, MaxExperts);
        return chosen <= experts
            ? new MoeConfig(experts, chosen, intermediateSize, routing)
            : throw json.Invalid("num_experts_per_tok", $"is {chosen}; there are {experts} experts");
    }
}
