using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Profiling;

/// <summary>A device that is not there: takes memory and launches, keeps and computes nothing. For counting what a model would launch on
/// it.</summary>
/// <param name="name">Of the device.</param>
/// <param name="waves">Waves of a group.</param>
internal sealed class DryLauncher(string name, string architecture, long memoryBytes, int waves, int computeUnits) : IKernelLauncher
{
    public DeviceDescription Device { get; } =
        new("dry", name, "no device", IsGpu: true, memoryBytes, computeUnits) { Architecture = architecture };

    public int Waves => waves;

    public MatrixCores MatrixCores => MatrixCores.Mfma;

    public int BusyGroups => computeUnits;

    public bool IsDry => true;

    public DeviceMemory Allocate(long bytes) => new Nothing(bytes);

    public void Clear(MemoryRange range)
    {
    }

    public void Write(MemoryRange range, ReadOnlySpan<byte> values)
    {
    }

    public void Copy(MemoryRange source, MemoryRange destination)
    {
    }

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
    }

    /// <summary>Zeros.</summary>
    public void Read(MemoryRange range, Span<byte> values) => values.Clear();

    public void Synchronize()
    {
    }

    public void Dispose()
    {
    }

    private sealed class Nothing(long bytes) : DeviceMemory(bytes)
    {
        public override void Dispose()
        {
        }
    }
}
