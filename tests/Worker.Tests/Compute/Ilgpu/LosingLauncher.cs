using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>A device that fails when the test says so and does nothing from then on.</summary>
internal sealed class LosingLauncher(IKernelLauncher inner) : DelegatingLauncher(inner)
{
    private volatile Exception? _failure;

    public override MatrixCores MatrixCores => MatrixCores.None;

    /// <param name="failure">Thrown by every operation from now on.</param>
    public void Lose(Exception failure) => _failure = failure;

    public override DeviceMemory Allocate(long bytes)
    {
        ThrowIfLost();
        return base.Allocate(bytes);
    }

    public override void Clear(MemoryRange range)
    {
        ThrowIfLost();
        base.Clear(range);
    }

    public override void Write(MemoryRange range, ReadOnlySpan<byte> values)
    {
        ThrowIfLost();
        base.Write(range, values);
    }

    public override void Copy(MemoryRange source, MemoryRange destination)
    {
        ThrowIfLost();
        base.Copy(source, destination);
    }

    public override void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        ThrowIfLost();
        base.Launch(kernel, grid, arguments);
    }

    public override void Read(MemoryRange range, Span<byte> values)
    {
        ThrowIfLost();
        base.Read(range, values);
    }

    public override void Synchronize()
    {
        ThrowIfLost();
        base.Synchronize();
    }

    private void ThrowIfLost()
    {
        if (_failure is { } failure)
        {
            throw failure;
        }
    }
}
