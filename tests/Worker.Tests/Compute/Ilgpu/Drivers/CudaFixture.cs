using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>A backend on a fake NVIDIA GPU that interprets PTX, shared by the tests of a class.</summary>
public sealed class CudaFixture : DeviceFixture
{
    private static readonly Lazy<FakeGpu> Gpu = new(() => FakeGpu.Cuda());

    internal static Backend Make(IlgpuOptions? options = null) => new IlgpuBackend(Launcher(), options ?? new IlgpuOptions());

    internal static GpuLauncher Launcher()
    {
        var device = CudaDevice.All([Gpu.Value.LibraryPath])[0];
        return new GpuLauncher(new CudaDriver(device), new CudaImages(device.Target, KernelCache.OfEnvironment()), device.MatrixCores);
    }

    /// <summary>What the driver complains of.</summary>
    internal static string Text => Gpu.Value.Text;

    private protected override Backend Create() => Make();
}
