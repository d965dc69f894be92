using Cluster.Worker.Compute.Ilgpu.Compile;

namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>Runs kernels on one device: memory, one queue, launches. The seam between <see cref="IlgpuBackend"/> and what drives a device;
/// nothing above it knows which. Called by one thread.</summary>
/// <remarks>All operations are done in the order of their calls; only <see cref="Read"/> and <see cref="Synchronize"/> wait.</remarks>
/// <exception cref="DeviceLostException">Every operation: the device has failed and answers no more.</exception>
internal interface IKernelLauncher : IDisposable
{
    DeviceDescription Device { get; }

    /// <summary>Waves of a group of a <see cref="Kernel.IsWide"/> kernel.</summary>
    int Waves { get; }

    /// <summary>The matrix instructions that kernels may use: others of them are not instructions on the device.</summary>
    MatrixCores MatrixCores { get; }

    /// <summary>Groups that keep the device busy.</summary>
    int BusyGroups { get; }

    /// <summary>Kernels that were built so far. May be read on any thread.</summary>
    long KernelsBuilt => 0;

    /// <summary>Whether nothing is kept of what is written, so that nothing need be.</summary>
    bool IsDry => false;

    /// <summary>Device memory, contents undefined.</summary>
    /// <exception cref="InsufficientMemoryException">The device does not have it.</exception>
    DeviceMemory Allocate(long bytes);

    void Clear(MemoryRange range);

    /// <summary>Copies to the device. The span may be reused when the call returns.</summary>
    void Write(MemoryRange range, ReadOnlySpan<byte> values);

    /// <summary>Memory of the host to fill and then to write from.</summary>
    StagingMemory Stage(int bytes) => new HostStaging(bytes);

    /// <summary>Copies the first bytes of staging memory to the device; <see cref="StagingMemory.Take"/> tells when it may be filled
    /// again.</summary>
    /// <param name="staging">From <see cref="Stage"/> of this launcher.</param>
    unsafe void Write(MemoryRange range, StagingMemory staging, int bytes) =>
        Write(range, new ReadOnlySpan<byte>((void*)staging.Take(), bytes));

    void Copy(MemoryRange source, MemoryRange destination);

    /// <param name="arguments">One for each of the kernel's parameters.</param>
    /// <exception cref="KernelBuildException">The kernel, used for the first time, cannot be built for the device.</exception>
    void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments);

    /// <summary>Waits for everything before, and copies to the host.</summary>
    void Read(MemoryRange range, Span<byte> values);

    /// <summary>Waits for everything before.</summary>
    void Synchronize();
}
