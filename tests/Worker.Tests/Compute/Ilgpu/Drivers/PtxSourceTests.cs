using System.Text.RegularExpressions;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Ptx;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

public sealed partial class PtxSourceTests
{
    /// <summary>Those for AMD's matrix cores are not for NVIDIA's GPUs, nor those for warps for old ones. The fake's interpreter knows
    /// every instruction that is written; it refuses arithmetic without a rounding mode, what the processor does not know yet, and more
    /// shared memory than a group has.</summary>
    [Theory, InlineData("sm_75"), InlineData("sm_90")]
    [Trait(Category.Name, Category.Long)]
    public void Every_kernel_compiles_and_its_text_is_PTX(string target)
    {
        // Those for warps take seconds each, and are made of the same parts for each kind of weights: some of all kinds stand for them.
        const int Of = 12;
        using var gpu = FakeGpu.Cuda(target);
        using var driver = new CudaDriver(CudaDevice.All([gpu.LibraryPath])[0]);
        driver.Open();
        var images = new CudaImages(target, new KernelCache(null));
        var kernels = PtxCompiler.MatrixCoresOf(target) == MatrixCores.Mma
            ? [.. BackendKernels.WithoutMatrixCores, .. WarpKernels.All.Concat(WarpAttentionKernels.All).Where((_, i) => i % Of == 0)]
            : BackendKernels.WithoutMatrixCores;
        Parallel.ForEach(kernels, kernel =>
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

    /// <summary>Weights come 16 bytes a lane at a time: two outputs of four steps, and the same again while those are multiplied.</summary>
    [Fact]
    public void Few_rows_are_multiplied_by_warps_with_eight_loads_of_weights_on_their_way()
    {
        var text = PtxCompiler.Compile(WarpKernels.OfSplit(WeightFormat.Plain(DType.BF16), rounds: true, 4), "sm_80", Wave.MaxWaves);
        var loop = InnerLoop(text);

        // Four steps of two instructions with each of four tiles of rows, whose pieces are loads as well.
        Assert.Equal(32, Count(loop, "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"));
        Assert.Equal(8 + 16, Count(loop, "ld.global.v4.b32"));
        Assert.DoesNotContain("ld.global.b", loop);
        Assert.DoesNotContain("local", text);
    }

    /// <summary>Moves between registers are left out, because the driver's compiler leaves none. The rest is addresses above all, which
    /// ILGPU computes anew in each round and that compiler does not.</summary>
    [Theory]
    [InlineData(DType.BF16, true, 32, 12, 4, 0.24)]
    [InlineData(DType.F16, true, 32, 12, 4, 0.24)]
    [InlineData(DType.BF16, false, 48, 14, 5, 0.29)]
    internal void Many_rows_are_multiplied_from_shared_memory_that_is_filled_past_registers(
        DType dtype, bool rounds, int multiplies, int loads, int copies, double share)
    {
        var text = PtxCompiler.Compile(WarpKernels.Tile(WeightFormat.Plain(dtype), rounds), "sm_80", Wave.MaxWaves);
        var loop = InnerLoop(text);

        Assert.Equal(multiplies, Count(loop, "mma.sync.aligned"));
        Assert.Equal(loads, Count(loop, "ld.shared.v4.b32"));
        Assert.Equal(copies, Count(loop, "cp.async.cg.shared.global"));
        Assert.Equal(1, Count(loop, "bar.sync"));
        Assert.Equal(0, Count(loop, "ld.global") + Count(loop, "st.shared") + Count(loop, "local"));
        var instructions = loop.Split('\n').Count(line => line.StartsWith('\t') && !line.StartsWith("\tmov", StringComparison.Ordinal));
        Assert.True((multiplies + loads) / (double)instructions >= share, $"{multiplies + loads} of {instructions}");
    }

    /// <summary>The heads of 128 elements of a prompt in exact terms: what takes most registers and, of fp32, all of shared memory. Scores
    /// are added in a loop over the head.</summary>
    [Fact]
    public void Attention_multiplies_from_shared_memory_without_memory_of_its_own()
    {
        var kernel = WarpAttentionKernels.Of(new KvCacheLayout(1, 1, 128, 16, 1, DType.BF16), rounds: false, int.MaxValue).Kernel!;
        var text = PtxCompiler.Compile(kernel, "sm_80", Wave.MaxWaves);

        // Three terms of queries and of weights: four tokens' and sixteen elements' instructions, two of each.
        Assert.Equal(3 * 2 * (4 + 16), Count(text, "mma.sync.aligned"));
        Assert.Equal(4 + 16, Count(text, "ld.shared.v4.b32"));
        Assert.Equal(2 * 2 * 2, Count(text, "shfl.sync.bfly.b32"));
        Assert.Equal(3 * 2 * 4, Count(InnerLoop(text), "mma.sync.aligned"));
        Assert.DoesNotContain("local", text);
    }

    [Fact]
    public void Two_floats_are_rounded_by_one_instruction()
    {
        var text = PtxCompiler.Compile(MatrixKernels.Split(WeightFormat.Plain(DType.F16), rounds: true), "sm_80", Wave.MaxWaves);

        Assert.Equal(4, Count(text, "cvt.rn.f16x2.f32"));
    }

    [Theory]
    [InlineData(8, 0, "sm_80")]
    [InlineData(8, 9, "sm_89")]
    [InlineData(9, 0, "sm_90")]
    [InlineData(10, 0, "sm_90")]
    [InlineData(12, 1, "sm_90")]
    public void Newer_devices_run_what_is_written_for_older_ones(int major, int minor, string target) =>
        Assert.Equal(target, PtxCompiler.TargetFor(major, minor));

    private static int Count(string text, string what) => text.Split(what).Length - 1;

    /// <summary>From the label before the first matrix instruction that is jumped back to, to the jump.</summary>
    private static string InnerLoop(string text)
    {
        var first = text.IndexOf("mma.sync", StringComparison.Ordinal);
        foreach (var label in Label().Matches(text[..first]).Reverse())
        {
            var jump = Regex.Match(text[first..], $@"bra(\.uni)?\s+{label.Groups[1].Value};");
            if (jump.Success)
            {
                return text[label.Index..(first + jump.Index)];
            }
        }

        throw new InvalidOperationException("no loop with a matrix instruction");
    }

    [GeneratedRegex(@"^\t?(\w+):$", RegexOptions.Multiline)]
    private static partial Regex Label();
}
