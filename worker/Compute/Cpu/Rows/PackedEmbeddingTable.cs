using Cluster.Worker.Compute.Cpu.Gemm;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>An embedding table that is the output matrix: a row is one lane of a panel. See <see cref="EmbedPackedRows"/>.</summary>
internal sealed class PackedEmbeddingTable(PackedWeight weight, int firstRow, int rows)
    : EmbeddingTable(weight.Name, rows, weight.InFeatures)
{
    public PackedWeight Weight { get; } = weight;

    /// <summary>The output that the table begins with.</summary>
    public int FirstRow { get; } = firstRow;

    /// <summary>None beside the matrix's.</summary>
    public override long ResidentBytes => 0;
}
