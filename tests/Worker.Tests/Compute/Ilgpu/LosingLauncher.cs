using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>A device that fails when the test says so and does nothing from then on.</summary>
internal sealed class LosingLauncher(IKernelLauncher inner) : IKernelLauncher
{
    public const string Reason = "device fake failed: clEnqueueNDRangeKernel: OutOfResources (-5)";

    private volatile bool _lost;

    public DeviceDescription Device => inner.Device;

    public int Waves => inner.Waves;

    public int BusyGroups => inner.BusyGroups;

    public void Lose() => _lost = true;

    public DeviceMemory Allocate(long bytes) => There().Allocate(bytes);

    public void Clear(MemoryRange range) => There().Clear(range);

    public void Write(MemoryRange range, ReadOnlySpan<byte> values) => There().Write(range, values);

    public void Copy(MemoryRange source, MemoryRange destination) => There().Copy(source, destination);

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments) =>
        There().Launch(kernel, grid, arguments);

    public void Read(MemoryRange range, Span<byte> values) => There().Read(range, values);

    public void Synchronize() => There().Synchronize();

    public void Dispose() => inner.Dispose();

    private IKernelLauncher There() => _lost ? throw new DeviceLostException(Reason) : inner;
}
