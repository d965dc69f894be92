using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu;

/// <summary>A CPU backend under test.</summary>
internal sealed class CpuDevice(VectorWidth width, int threads = 1, Communicator? communicator = null)
    : BackendUnderTest(CpuBackend.Create(
        new CpuOptions { Width = width, Threads = threads, MemoryBytes = 1L << 30, Communicator = communicator }))
{
    public static readonly VectorWidth[] Widths = [VectorWidth.Bits512, VectorWidth.Bits256, VectorWidth.Scalar];
}
