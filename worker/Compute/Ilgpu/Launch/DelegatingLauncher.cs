using Cluster.Worker.Compute.Ilgpu.Compile;

namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>A launcher in front of another, which it owns: does what the other does, but for what a subclass changes. It has no stream to
/// show, so that nothing is captured through it.</summary>
internal abstract class DelegatingLauncher(IKernelLauncher inner) : IKernelLauncher
{
    public DeviceDescription Device => inner.Device;

    public int Waves => inner.Waves;

    public virtual MatrixCores MatrixCores => inner.MatrixCores;

    public int BusyGroups => inner.BusyGroups;

    public long KernelsBuilt => inner.KernelsBuilt;

    public bool IsDry => inner.IsDry;

    public virtual DeviceMemory Allocate(long bytes) => inner.Allocate(bytes);

    public virtual void Clear(MemoryRange range) => inner.Clear(range);

    public virtual void Write(MemoryRange range, ReadOnlySpan<byte> values) => inner.Write(range, values);

    public virtual void Copy(MemoryRange source, MemoryRange destination) => inner.Copy(source, destination);

    public virtual void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments) =>
        inner.Launch(kernel, grid, arguments);

    public virtual void Read(MemoryRange range, Span<byte> values) => inner.Read(range, values);

    public virtual void Synchronize() => inner.Synchronize();

    public void Dispose() => inner.Dispose();
}
