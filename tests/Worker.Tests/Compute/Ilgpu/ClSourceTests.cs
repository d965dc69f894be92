using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

public class ClSourceTests
{
    [Fact]
    public void Sums_in_shared_memory_need_no_feature_that_a_driver_may_lack()
    {
        var text = new ClCompiler(CLDeviceVendor.Other).Compile(BackendKernels.Select, waves: 4);

        Assert.Contains("atomic_add ((volatile local uint*)", text, StringComparison.Ordinal);
        Assert.DoesNotContain("atomic_fetch", text, StringComparison.Ordinal);
        Assert.DoesNotContain("atomic_uint", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Sampling_needs_no_double_precision()
    {
        var compiler = new ClCompiler(CLDeviceVendor.Other);

        Assert.All(
            BackendKernels.All.Where(kernel => kernel.Name.StartsWith("S", StringComparison.Ordinal)),
            kernel => Assert.DoesNotContain("double ", compiler.Compile(kernel, waves: 4), StringComparison.Ordinal));
    }
}
