using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

public sealed class ClSourceTests
{
    /// <summary>Kernels with barriers, with structs and with many parameters.</summary>
    public static TheoryData<string> Names =>
        [.. new[] { BackendKernels.Rms, BackendKernels.Sort, BackendKernels.Caches[DType.F8E4M3].Attend }.Select(kernel => kernel.Name)];

    [Theory, MemberData(nameof(Names))]
    public void A_kernel_for_AMD_fences_shared_memory_at_every_barrier_and_has_its_exact_group_size(string name)
    {
        var kernel = BackendKernels.All.Single(kernel => kernel.Name == name);
        var source = new ClCompiler(CLDeviceVendor.AMD).Compile(kernel, waves: 4);

        Assert.DoesNotContain("( CLK_GLOBAL_MEM_FENCE )", source, StringComparison.Ordinal);
        Assert.Contains("CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE", source, StringComparison.Ordinal);
        Assert.Contains($"reqd_work_group_size(64, {(kernel.IsWide ? 4 : 1)}, 1)", source, StringComparison.Ordinal);
        Assert.Contains("#pragma OPENCL FP_CONTRACT OFF", source, StringComparison.Ordinal);
        Assert.DoesNotContain("int field_0;\n\tlong field_1;", source, StringComparison.Ordinal);
    }

    [Fact]
    public void Waves_of_AMD_reduce_without_memory_and_those_of_others_through_it()
    {
        var amd = new ClCompiler(CLDeviceVendor.AMD).Compile(BackendKernels.RmsHeads, waves: 4);
        var other = new ClCompiler(CLDeviceVendor.Other).Compile(BackendKernels.RmsHeads, waves: 4);

        Assert.Contains("__builtin_amdgcn_update_dpp", amd, StringComparison.Ordinal);
        Assert.DoesNotContain("barrier", amd, StringComparison.Ordinal);
        Assert.DoesNotContain("amdgcn", other, StringComparison.Ordinal);
        Assert.Contains("work_group_barrier", other, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sub_group_barrier ( CLK_GLOBAL_MEM_FENCE );")]
    [InlineData("work_group_barrier ( CLK_LOCAL_MEM_FENCE );")]
    [InlineData("barrier(CLK_GLOBAL_MEM_FENCE);")]
    public void Barriers_that_are_not_corrected_are_refused(string barrier)
    {
        var refused = Assert.Throws<NotSupportedException>(() => ClSource.Improve($"kernel void f() {{ {barrier} }}", 1));

        Assert.StartsWith($"ILGPU wrote '{barrier[..^1]}', which does not fence shared memory", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_method_that_is_no_kernel_is_refused_by_name()
    {
        var refused = Assert.Throws<KernelBuildException>(
            () => new ClCompiler(CLDeviceVendor.Other).Compile(Kernel.Of(Allocates), waves: 4));

        Assert.StartsWith("kernel ClSourceTests.Allocates: ILGPU cannot compile it: ", refused.Message, StringComparison.Ordinal);
    }

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

    private static void Allocates(ArrayView<float> x) => x[0] = new List<float> { 1 }.Count + Wave.Lanes;
}
