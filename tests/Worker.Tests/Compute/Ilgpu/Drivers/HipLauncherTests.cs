using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Amd;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Hip;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>What goes through HIP, on a library that checks it.</summary>
public sealed class HipLauncherTests() : GpuLauncherTests(FakeGpu.Hip())
{
    private protected override string Title => "Fake Instinct 0 (GPU-00000000000000f0)";

    private protected override string UnknownError => "hipErrorUnknown";

    [Fact]
    public void Devices_say_what_they_are()
    {
        Gpu.SetDevices(2);
        var devices = HipDevice.All(["libno-such-hip.so.6", Gpu.LibraryPath]);

        Assert.Equal(
            [
                "hip: Fake Instinct 0, gfx942:sramecc+:xnack-, 4 compute units, 1.0 GiB, HIP 6.3.42134",
                "hip: Fake Instinct 1, gfx942:sramecc+:xnack-, 4 compute units, 1.0 GiB, HIP 6.3.42134",
            ],
            devices.Select(device => device.Description.ToString()));
        Assert.Equal(["GPU-00000000000000f0", "GPU-00000000000000f1"], devices.Select(device => device.Description.Uuid));
        Assert.Equal(64 << 10, devices[0].SharedBytes);
    }

    [Fact]
    public void Without_a_library_or_a_device_there_is_none()
    {
        Assert.Empty(HipDevice.All(["libno-such-hip.so.6"]));
        Gpu.SetDevices(0);
        Assert.Empty(HipDevice.All([Gpu.LibraryPath]));
    }

    [Fact]
    public void A_library_that_lacks_a_function_is_refused_with_its_name()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "libempty.so");
        File.WriteAllText(Path.Combine(folder.Path, "empty.c"), "int hipMemGetInfo(void) { return 0; }");
        FakeGpu.Compile(path, [Path.Combine(folder.Path, "empty.c")]);

        var refused = Assert.Throws<NotSupportedException>(() => HipDevice.All([path]));
        Assert.Equal($"{path} has no function hipMalloc: too old, or something else of that name", refused.Message);
    }

    [Fact]
    public void A_code_object_for_another_processor_is_refused_and_both_are_named()
    {
        using var folder = new TemporaryFolder();
        var path = PrebuiltKernels.PathOf(folder.Path, "gfx942", BackendKernels.Add);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, AmdCompiler.Required.Compile(AmdCompiler.TextOf(BackendKernels.Add), "gfx90a"));
        PrebuiltKernels.WriteManifest(folder.Path, ["gfx942"], "a test");
        using var launcher = Launcher(PrebuiltKernels.Open(folder.Path));
        using var memory = launcher.Allocate(64);
        var x = new MemoryRange(memory, 0, 64);
        var refused = Assert.Throws<KernelBuildException>(() => launcher.Launch(BackendKernels.Add, new GridSize(1), x, x, 16));

        Assert.Equal("kernel Elementwise.Add: its code object is for gfx90a, the device is gfx942", refused.Message);
    }

    [Fact]
    public void What_an_earlier_run_has_compiled_needs_no_compiler()
    {
        using var folder = new TemporaryFolder();
        var clang = AmdCompiler.Required;
        HipImages Images(Func<ICodeObjectCompiler?> find, string driver = "HIP 6.3") =>
            new("gfx942", driver, null, new KernelCache(folder.Path), find);
        var first = Images(() => clang).Of(BackendKernels.Add);

        var later = Images(() => throw new InvalidOperationException("the compiler was asked for")).Of(BackendKernels.Add);

        Assert.Equal(first.Bytes, later.Bytes);
        Assert.Contains("no compiler of AMD's code objects", Assert.Throws<KernelBuildException>(() =>
            Images(() => null, "HIP 6.4").Of(BackendKernels.Add)).Message);
    }

    [Fact]
    public void What_the_driver_refuses_is_told_with_the_device_and_the_image()
    {
        var device = HipDevice.All([Gpu.LibraryPath])[0];
        using var driver = new HipDriver(device);
        driver.Enter();
        var code = AmdCompiler.Required.Compile(AmdCompiler.TextOf(BackendKernels.Add), "gfx90a");
        var refused = Assert.Throws<KernelBuildException>(() => driver.LoadModule(
            new KernelImage(code, "Kernel_Add", "gfx90a", new ArgumentLayout(0, [])), "Elementwise.Add"));

        Assert.Equal(
            "kernel Elementwise.Add: Fake Instinct 0 is gfx942:sramecc+:xnack- and refuses the code object for gfx90a: "
            + "hipErrorNoBinaryForGpu (209)",
            refused.Message);
    }

    private protected override GpuLauncher Launcher(int device = 0) => Launcher(null, device);

    private GpuLauncher Launcher(PrebuiltKernels? prebuilt, int device = 0) => new(
        new HipDriver(HipDevice.All([Gpu.LibraryPath])[device]),
        new HipImages("gfx942", "HIP 6.3", prebuilt, new KernelCache(null), () => AmdCompiler.Required), MatrixCores.Mfma);
}
