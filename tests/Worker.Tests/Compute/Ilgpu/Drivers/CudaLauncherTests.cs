using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>What goes through CUDA's driver interface, on a library that checks it.</summary>
public sealed class CudaLauncherTests() : GpuLauncherTests(FakeGpu.Cuda())
{
    private protected override string Title => "Fake H100 (GPU-00010203-0405-0607-0809-0a0b0c0d0e00)";

    private protected override string UnknownError => "CUDA_ERROR_UNKNOWN";

    [Fact]
    public void Devices_say_what_they_are()
    {
        Gpu.SetDevices(2);
        var devices = CudaDevice.All(["libno-such-cuda.so.1", Gpu.LibraryPath]);

        Assert.Equal(
            ["cuda: Fake H100, sm_90, 4 compute units, 1.0 GiB, CUDA 12.8", "cuda: Fake H200, sm_90, 4 compute units, 1.0 GiB, CUDA 12.8"],
            devices.Select(device => device.Description.ToString()));
        Assert.Equal("GPU-00010203-0405-0607-0809-0a0b0c0d0e01", devices[1].Description.Uuid);
        Assert.Equal(48 << 10, devices[0].SharedBytes);
        Gpu.SetDevices(0);
        Assert.Empty(CudaDevice.All([Gpu.LibraryPath]));
        Assert.Empty(CudaDevice.All(["libno-such-cuda.so.1"]));
    }

    [Fact]
    public void A_kernel_computes_what_its_text_says()
    {
        using (var launcher = Launcher())
        {
            using var memory = launcher.Allocate(4000);
            MemoryRange x = new(memory, 0, 2000), y = new(memory, 2000, 2000);
            float[] values = [.. Enumerable.Range(0, 500).Select(i => i / 3f)];
            launcher.Write(x, MemoryMarshal.AsBytes<float>(values));
            launcher.Write(y, MemoryMarshal.AsBytes<float>(values));
            launcher.Launch(BackendKernels.Add, new GridSize(2), x, y, 500);
            launcher.Read(x, MemoryMarshal.AsBytes(values.AsSpan()));

            Assert.Equal(Enumerable.Range(0, 500).Select(i => i / 3f + i / 3f), values);
        }

        AssertNothingIsLeft();
    }

    [Fact]
    public void PTX_that_the_driver_refuses_is_told_with_the_driver_s_own_words()
    {
        using var driver = new CudaDriver(CudaDevice.All([Gpu.LibraryPath])[0]);
        driver.Open();
        var text = System.Text.Encoding.UTF8.GetBytes(
            ".version 7.8\n.target sm_90\n.visible .entry Kernel_X(\n\t.param .b32 _a_0\n)\n.reqntid 64, 1, 1\n{\n\twish.f32 %f1;\n}\n"
            + '\0');
        var refused = Assert.Throws<KernelBuildException>(() => driver.LoadModule(
            new KernelImage(text, "Kernel_X", "sm_90", new ArgumentLayout(4, [])), "Tests.X"));

        Assert.Equal(
            "kernel Tests.X: Fake H100 is sm_90 and refuses the PTX for sm_90: CUDA_ERROR_INVALID_PTX (218)\n"
            + "line 1: unknown instruction 'wish'",
            refused.Message.Replace("line 2", "line 1", StringComparison.Ordinal));
    }

    [Fact]
    public void Memory_beyond_a_view_shows()
    {
        using var launcher = Launcher();
        using var memory = launcher.Allocate(64);
        var x = new MemoryRange(memory, 0, 64);
        launcher.Launch(BackendKernels.Add, new GridSize(1), x, x, 17);
        launcher.Synchronize();

        Assert.Matches("complaint: Kernel_Add, line \\d+, group 0,0,0: memory out of bounds", Gpu.Text);
    }

    private protected override GpuLauncher Launcher(int device = 0)
    {
        var own = CudaDevice.All([Gpu.LibraryPath])[device];
        return new GpuLauncher(new CudaDriver(own), new CudaImages(own.Target, new KernelCache(null)), own.MatrixCores);
    }
}
