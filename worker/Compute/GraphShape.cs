namespace Cluster.Worker.Compute;

/// <summary>All that the operations of a decode step depend on.</summary>
/// <param name="Cache">The model's own: a draft model shares its target's backend.</param>
/// <param name="Rows">Sequences, each with one row and one row of logits.</param>
/// <param name="Blocks">Width of the block tables, which the longest context fills.</param>
internal readonly record struct GraphShape(KvCache Cache, int Rows, int Blocks);
