using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu;

/// <summary>How a <see cref="CpuBackend"/> uses the machine.</summary>
internal sealed record CpuOptions
{
    /// <summary>Threads that compute, the calling one included. Default: every processor the process may use.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Bytes that weights, cache and activations may take. Default: the memory the process may use (a container's limit, if it has
    /// one).</summary>
    public long MemoryBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Width of the kernels. Default: the widest that the hardware runs natively; any width computes correctly anywhere.</summary>
    public VectorWidth Width { get; init; } = WidestInHardware;

    /// <summary>This rank's end of a tensor-parallel group; null when one backend computes all. The backend calls it from the thread that
    /// calls the backend, and does not dispose of it.</summary>
    public Communicator? Communicator { get; init; }

    private static VectorWidth WidestInHardware =>
        Vector512.IsHardwareAccelerated ? VectorWidth.Bits512
        : Vector256.IsHardwareAccelerated ? VectorWidth.Bits256
        : VectorWidth.Scalar;
}
