using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>Embeddings in the checkpoint's type.</summary>
internal sealed class IlgpuEmbeddingTable(string name, int rows, int columns, DType dtype, MemoryRange memory)
    : EmbeddingTable(name, rows, columns)
{
    public DType DType => dtype;

    public MemoryRange Memory => memory;

    public override long ResidentBytes => memory.Bytes;
}

/// <summary><c>[positions][cos of the pairs, then sin of them]</c>, computed in double precision.</summary>
internal sealed class IlgpuRopeTable(RopeFrequencies frequencies, MemoryRange memory) : RopeTable(frequencies)
{
    public MemoryRange Memory => memory;
}
