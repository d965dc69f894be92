using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu;

/// <summary>A CPU backend under test, with tensors made from and read into arrays.</summary>
internal sealed class CpuDevice(VectorWidth width, int threads = 1, Communicator? communicator = null) : IDisposable
{
    public static readonly VectorWidth[] Widths = [VectorWidth.Bits512, VectorWidth.Bits256, VectorWidth.Scalar];

    public CpuBackend Backend { get; } = CpuBackend.Create(
        new CpuOptions { Width = width, Threads = threads, MemoryBytes = 1L << 30, Communicator = communicator });

    public Tensor Floats(float[] values, int rows, int columns) =>
        Backend.LoadVector(HostTensors.Of("test", DType.F32, values, values.Length)) with { Rows = rows, Columns = columns };

    public Tensor Empty(int rows, int columns) => Backend.Allocate("output", DType.F32, rows, columns);

    public Tensor Integers(int rows, int columns, params int[] values)
    {
        var tensor = Backend.Allocate("integers", DType.I32, rows, columns);
        Backend.Upload(values, tensor);
        return tensor;
    }

    public float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Rows * tensor.Columns];
        Backend.Download(tensor, values);
        return values;
    }

    public void Dispose() => Backend.Dispose();
}
