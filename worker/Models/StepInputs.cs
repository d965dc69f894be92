using Cluster.Worker.Compute;

namespace Cluster.Worker.Models;

/// <summary>One step's batch on the device: what <see cref="ModelRunner"/> uploads and <see cref="Transformer"/> computes on.</summary>
/// <param name="TokenIds"><c>[tokens]</c>.</param>
/// <param name="LogitRows"><c>[logits]</c> rows whose logits are wanted; may have no rows.</param>
internal readonly record struct StepInputs(Tensor TokenIds, AttentionInputs Attention, Tensor LogitRows);
