namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>A run of consecutive rows of one sequence, attended together so that its pages are read once for all of them.</summary>
internal readonly record struct AttentionItem(int Sequence, int FirstRow, int Rows);
