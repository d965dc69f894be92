using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>A device that fails when the test says so and does nothing from then on.</summary>
internal sealed class LosingLauncher(IKernelLauncher inner) : IKernelLauncher
{
    private volatile Exception? _failure;

    public DeviceDescription Device => inner.Device;

    public int Waves => inner.Waves;

    public bool HasMatrixCores => false;

    public int BusyGroups => inner.BusyGroups;

    /// <param name="failure">Thrown by every operation from now on.</param>
    public void Lose(Exception failure) => _failure = failure;

    public DeviceMemory Allocate(long bytes) => There().Allocate(bytes);

    public void Clear(MemoryRange range) => There().Clear(range);

    public void Write(MemoryRange range, ReadOnlySpan<byte> values) => There().Write(range, values);

    public void Copy(MemoryRange source, MemoryRange destination) => There().Copy(source, destination);

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments) =>
        There().Launch(kernel, grid, arguments);

    public void Read(MemoryRange range, Span<byte> values) => There().Read(range, values);

    public void Synchronize() => There().Synchronize();

    public void Dispose() => inner.Dispose();

    private IKernelLauncher There() => _failure is { } failure ? throw failure : inner;
}
