using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Profiling;

/// <summary>A launcher in front of another, which it owns: counts launches. Graphs would hide them, so that nothing is captured through
/// it.</summary>
internal sealed class CountingLauncher(IKernelLauncher inner) : IKernelLauncher
{
    public DeviceDescription Device => inner.Device;

    public int Waves => inner.Waves;

    public bool HasMatrixCores => inner.HasMatrixCores;

    public int BusyGroups => inner.BusyGroups;

    public long KernelsBuilt => inner.KernelsBuilt;

    public bool IsDry => inner.IsDry;

    /// <summary>So far.</summary>
    public long Launches { get; private set; }

    public DeviceMemory Allocate(long bytes) => inner.Allocate(bytes);

    public void Clear(MemoryRange range) => inner.Clear(range);

    public void Write(MemoryRange range, ReadOnlySpan<byte> values) => inner.Write(range, values);

    public void Copy(MemoryRange source, MemoryRange destination) => inner.Copy(source, destination);

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        Launches += grid.IsEmpty ? 0 : 1;
        inner.Launch(kernel, grid, arguments);
    }

    public void Read(MemoryRange range, Span<byte> values) => inner.Read(range, values);

    public void Synchronize() => inner.Synchronize();

    public void Dispose() => inner.Dispose();
}
