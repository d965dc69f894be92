using Cluster.Worker.Compute.Cpu.Gemm;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>An embedding table that is the output matrix: a row is one lane of a panel. See <see cref="EmbedPackedRows"/>.</summary>
internal sealed class PackedEmbeddingTable(PackedWeight weight) : EmbeddingTable(weight.Name, weight.OutFeatures, weight.InFeatures)
{
    public PackedWeight Weight { get; } = weight;

    /// <summary>None beside the matrix's.</summary>
    public override long ResidentBytes => 0;
}
