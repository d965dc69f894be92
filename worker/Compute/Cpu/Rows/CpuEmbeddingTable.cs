using Cluster.Worker.Compute.Cpu.Memory;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>An embedding table as the checkpoint stores it, row-major in its own dtype; rows are widened as they are looked up.</summary>
internal sealed unsafe class CpuEmbeddingTable(string name, int rows, int columns, DType dtype, NativeMemoryBlock memory)
    : EmbeddingTable(name, rows, columns)
{
    public DType DType { get; } = dtype;

    public byte* Address => memory.Address;

    public override long ResidentBytes => memory.Bytes;
}
