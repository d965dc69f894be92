using System.Text.RegularExpressions;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Ptx;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

public sealed class PtxSourceTests
{
    /// <summary>Those for matrix cores are not for NVIDIA's GPUs. The fake's interpreter knows every instruction that is written; it
    /// refuses arithmetic without a rounding mode, and more shared memory than a group has.</summary>
    [Theory, InlineData("sm_80"), InlineData("sm_90")]
    [Trait(Category.Name, Category.Slow)]
    public void Every_kernel_compiles_and_its_text_is_PTX(string target)
    {
        using var gpu = FakeGpu.Cuda(target);
        using var driver = new CudaDriver(CudaDevice.All([gpu.LibraryPath])[0]);
        driver.Open();
        var images = new CudaImages(target, new KernelCache(null));
        Parallel.ForEach(BackendKernels.WithoutMatrixCores, kernel =>
        {
            var image = images.Of(kernel);
            lock (gpu)
            {
                driver.Enter();
                driver.UnloadModule(driver.LoadModule(image, kernel.Name));
            }
        });

        Assert.Equal("", gpu.Text);
    }

    [Fact]
    public void Texts_are_the_same_whatever_was_compiled_before_and_say_how_large_groups_are()
    {
        var first = PtxCompiler.Compile(BackendKernels.Rms, "sm_90", Wave.MaxWaves);
        _ = PtxCompiler.Compile(BackendKernels.Add, "sm_90", Wave.MaxWaves);

        Assert.Equal(first, PtxCompiler.Compile(BackendKernels.Rms, "sm_90", Wave.MaxWaves));
        Assert.Contains(")\n.reqntid 64, 4, 1\n{", first);
        Assert.Contains(")\n.reqntid 64, 1, 1\n{", PtxCompiler.Compile(BackendKernels.Add, "sm_90", Wave.MaxWaves));
        Assert.DoesNotMatch(new Regex(@"\b(add|sub|mul)\.f32"), first);
        Assert.DoesNotContain("st.local", first);
    }

    [Theory]
    [InlineData(8, 0, "sm_80")]
    [InlineData(8, 9, "sm_89")]
    [InlineData(9, 0, "sm_90")]
    [InlineData(10, 0, "sm_90")]
    [InlineData(12, 1, "sm_90")]
    public void Newer_devices_run_what_is_written_for_older_ones(int major, int minor, string target) =>
        Assert.Equal(target, PtxCompiler.TargetFor(major, minor));
}
