using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>Intermediate results of <see cref="SharedExpert"/>. Part of <see cref="ExpertActivations"/>.</summary>
/// <param name="GateUp"><c>[tokens, 2·intermediate]</c>.</param>
/// <param name="Activated"><c>[tokens, intermediate]</c>.</param>
/// <param name="Output"><c>[tokens, hidden]</c>.</param>
/// <param name="Gate"><c>[tokens, 1]</c> what scales a token's output, where something does.</param>
internal sealed record SharedActivations(Tensor GateUp, Tensor Activated, Tensor Output, Tensor Gate)
{
    public static SharedActivations Allocate(Backend backend, ModelConfig config, MoeConfig moe, int maxTokens) => new(
        backend.Allocate("shared_gate_up", DType.F32, maxTokens, 2 * moe.SharedIntermediateSize),
        backend.Allocate("shared_activated", DType.F32, maxTokens, moe.SharedIntermediateSize),
        backend.Allocate("shared_output", DType.F32, maxTokens, config.HiddenSize),
        backend.Allocate("shared_gate", DType.F32, maxTokens));

    /// <summary>Bytes that <see cref="Allocate"/> takes for each token.</summary>
    public static long BytesPerToken(ModelConfig config, MoeConfig moe) =>
        sizeof(float) * ((3L * moe.SharedIntermediateSize) + config.HiddenSize + 1);
}
