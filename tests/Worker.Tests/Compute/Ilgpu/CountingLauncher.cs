using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Keeps the names of the kernels that are launched, in order.</summary>
/// <param name="hasMatrixCores">Takes the kernels for matrix cores, whatever the device has.</param>
internal sealed class CountingLauncher(IKernelLauncher inner, bool hasMatrixCores) : IKernelLauncher
{
    public List<string> Launched { get; } = [];

    public DeviceDescription Device => inner.Device;

    public int Waves => inner.Waves;

    public bool HasMatrixCores => hasMatrixCores;

    public int BusyGroups => inner.BusyGroups;

    public DeviceMemory Allocate(long bytes) => inner.Allocate(bytes);

    public void Clear(MemoryRange range) => inner.Clear(range);

    public void Write(MemoryRange range, ReadOnlySpan<byte> values) => inner.Write(range, values);

    public void Copy(MemoryRange source, MemoryRange destination) => inner.Copy(source, destination);

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        Launched.Add(kernel.Name);
        inner.Launch(kernel, grid, arguments);
    }

    public void Read(MemoryRange range, Span<byte> values) => inner.Read(range, values);

    public void Synchronize() => inner.Synchronize();

    public void Dispose() => inner.Dispose();
}
