using Cluster.Worker.Compute;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Layers;

/// <summary>One step's batch on the device: what <see cref="ModelRunner"/> uploads and <see cref="Transformer"/> computes on.</summary>
/// <param name="TokenIds"><c>[tokens]</c>.</param>
/// <param name="Attention">Of each group of <see cref="KvGroups"/>; all but slots and block tables are the same. Reused by the next
/// step.</param>
/// <param name="LogitRows"><c>[logits]</c> rows whose logits are wanted; may have no rows.</param>
/// <param name="BlockCopies"><c>[pairs, 2]</c> cache blocks to copy first; nearly always without rows.</param>
internal readonly record struct StepInputs(Tensor TokenIds, AttentionInputs[] Attention, Tensor LogitRows, Tensor BlockCopies);
