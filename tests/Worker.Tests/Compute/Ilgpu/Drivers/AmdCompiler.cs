using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Amd;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>A clang for AMD GPUs, where one is installed with its linker.</summary>
internal static class AmdCompiler
{
    private static readonly Lazy<Clang?> Found = new(Find);

    /// <summary>Skips the test where there is none.</summary>
    public static Clang Required
    {
        get
        {
            Assert.SkipWhen(
                Found.Value is null, $"there is no {string.Join(", ", Clang.Programs)} that links code objects (clang-19 and lld-19)");
            return Found.Value!;
        }
    }

    public static string TextOf(Kernel kernel, CLDeviceVendor vendor = CLDeviceVendor.AMD) =>
        new ClCompiler(vendor).Compile(kernel, Wave.MaxWaves);

    private static Clang? Find()
    {
        try
        {
            var clang = Clang.Find([.. Clang.Programs]);
            clang?.Compile("kernel void nothing() {}", "gfx942");
            return clang;
        }
        catch (KernelBuildException)
        {
            return null;
        }
    }
}
