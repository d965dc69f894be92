using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Hip;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>A backend on a fake AMD GPU with matrix cores, shared by the tests of a class.</summary>
public sealed class HipFixture : DeviceFixture
{
    private static readonly Lazy<FakeGpu> Gpu = new(() => FakeGpu.Hip());

    /// <summary>What the driver complains of.</summary>
    internal static string Text => Gpu.Value.Text;

    internal static GpuLauncher Launcher()
    {
        Assert.SkipUnless(RuntimeInformation.ProcessArchitecture == Architecture.X64, "threads of a group are switched on x86-64 only");
        var clang = AmdCompiler.Required;
        var device = HipDevice.All([Gpu.Value.LibraryPath])[0];
        return new GpuLauncher(
            new HipDriver(device),
            new HipImages("gfx942", device.Description.Driver, null, new KernelCache(null), () => new RunningCompiler(clang, Gpu.Value)),
            device.MatrixCores);
    }

    internal static Backend Make(IlgpuOptions? options = null) => new IlgpuBackend(Launcher(), options ?? new IlgpuOptions());

    private protected override Backend Create() => Make();
}
