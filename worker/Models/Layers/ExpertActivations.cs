using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>Intermediate results of <see cref="MixtureOfExperts"/>. A row of those after the weights is one expert of one token:
/// token·chosen + place. Part of <see cref="Activations"/>.</summary>
/// <param name="RouterLogits"><c>[tokens, experts]</c>.</param>
/// <param name="Chosen">I32 <c>[tokens, chosen]</c>.</param>
/// <param name="Weights"><c>[tokens, chosen]</c>.</param>
/// <param name="GateUp"><c>[tokens·chosen, 2·intermediate]</c>.</param>
/// <param name="Activated"><c>[tokens·chosen, intermediate]</c>.</param>
/// <param name="Outputs"><c>[tokens·chosen, hidden]</c>.</param>
internal sealed record ExpertActivations(
    Tensor RouterLogits, Tensor Chosen, Tensor Weights, Tensor GateUp, Tensor Activated, Tensor Outputs)
{
    /// <summary>Null where no MLP is shared by all tokens.</summary>
    public SharedActivations? Shared { get; init; }

    public static ExpertActivations Allocate(Backend backend, ModelConfig config, MoeConfig moe, int maxTokens)
    {
        var routed = checked(maxTokens * moe.ExpertsPerToken);
        return new ExpertActivations(
            backend.Allocate("router_logits", DType.F32, maxTokens, moe.NumExperts),
            backend.Allocate("chosen_experts", DType.I32, maxTokens, moe.ExpertsPerToken),
            backend.Allocate("expert_weights", DType.F32, maxTokens, moe.ExpertsPerToken),
            backend.Allocate("expert_gate_up", DType.F32, routed, 2 * moe.IntermediateSize),
            backend.Allocate("expert_activated", DType.F32, routed, moe.IntermediateSize),
            backend.Allocate("expert_outputs", DType.F32, routed, config.HiddenSize))
        {
            Shared = moe.SharedIntermediateSize > 0 ? SharedActivations.Allocate(backend, config, moe, maxTokens) : null,
        };
    }

    /// <summary>Bytes that <see cref="Allocate"/> takes for each token.</summary>
    public static long BytesPerToken(ModelConfig config, MoeConfig moe) =>
        (sizeof(float) * (moe.NumExperts + (moe.ExpertsPerToken * (2L + (3L * moe.IntermediateSize) + config.HiddenSize))))
        + (moe.SharedIntermediateSize > 0 ? SharedActivations.BytesPerToken(config, moe) : 0);
}
