namespace Cluster.Worker.Compute.Cpu.Memory;

/// <summary>Host memory behind a <see cref="Tensor"/>.</summary>
internal sealed unsafe class CpuBuffer(string name, NativeMemoryBlock memory) : DeviceBuffer(name, memory.Bytes)
{
    public NativeMemoryBlock Block => memory;

    /// <summary>The elements of an F32 tensor.</summary>
    /// <exception cref="ArgumentException">The tensor has another dtype, or another shape than the operation needs.</exception>
    public static float* Floats(Tensor tensor, int rows, int columns) => (float*)Address(tensor, DType.F32, rows, columns);

    /// <summary>The elements of an I32 tensor, of which the first <paramref name="atLeast"/> are used.</summary>
    /// <exception cref="ArgumentException">The tensor has another dtype or too few elements.</exception>
    public static int* Integers(Tensor tensor, long atLeast) => tensor.DType == DType.I32 && (long)tensor.Rows * tensor.Columns >= atLeast
        ? (int*)((CpuBuffer)tensor.Buffer).Memory
        : throw new ArgumentException($"{tensor} given where {atLeast} I32 elements are needed");

    private static byte* Address(Tensor tensor, DType dtype, int rows, int columns) =>
        tensor.DType == dtype && tensor.Rows == rows && tensor.Columns == columns
            ? ((CpuBuffer)tensor.Buffer).Memory
            : throw new ArgumentException($"{tensor} given where {dtype}[{rows},{columns}] is needed");

    private byte* Memory => Block.Address;
}
