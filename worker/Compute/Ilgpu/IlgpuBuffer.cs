using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>A tensor's memory.</summary>
internal sealed class IlgpuBuffer(string name, MemoryRange range) : DeviceBuffer(name, range.Bytes)
{
    public MemoryRange Range => range;
}
