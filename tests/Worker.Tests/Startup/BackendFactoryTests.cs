using Cluster.Worker.Compute;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Startup;

public sealed class BackendFactoryTests
{
    [Theory]
    [InlineData("auto")]
    [InlineData("cpu")]
    public void A_device_that_this_build_has_is_made_with_its_share_of_the_threads(string device)
    {
        var factory = BackendFactory.For(new DeviceOptions(device) { CpuThreads = 4 }, ranks: 2);
        using var backend = factory.Create();

        Assert.Equal(("cpu", "cpu", 2), (backend.Name, factory.Device, factory.Threads));
    }

    [Fact]
    public void The_interpreter_is_made_only_when_asked_for_by_name()
    {
        using var backend = BackendFactory.For(new DeviceOptions("interpreter")).Create();

        Assert.Equal("interpreter", backend.Name);
    }

    [Theory]
    [InlineData("hip")]
    [InlineData("cuda")]
    public void A_GPU_that_is_not_there_is_refused_with_what_was_looked_for(string device)
    {
        Assert.SkipWhen(GpuChoice.Find(device).Count > 0, $"there is a {device} GPU");
        var refused = Assert.Throws<StartupException>(() => BackendFactory.For(new DeviceOptions(device)));

        // Without the driver, or with one that shows no GPU.
        Assert.Matches($"^--device {device}: (there is no|\\S+ .*shows no) ", refused.Message);
        Assert.Contains(device == "hip" ? "libamdhip64.so" : "libcuda.so", refused.Message);
    }

    [Fact]
    public void What_an_option_comes_to_on_the_device_is_said()
    {
        var plain = BackendFactory.For(new DeviceOptions("cpu"));
        var withGraphs = BackendFactory.For(
            new DeviceOptions("cpu") { DType = DType.F32, EnforceEager = true, MaxSeqLenToCapture = 8192 });

        Assert.Equal(["dtype auto: weights as stored (bfloat16), activations float32"], plain.Remarks(DType.BF16));
        Assert.Equal(
            [
                "dtype float32 asked for: weights stay as stored (float16), activations float32",
                "--enforce-eager has no effect on cpu: it captures no graphs",
                "--max-seq-len-to-capture 8192 has no effect on cpu: it captures no graphs",
            ],
            withGraphs.Remarks(DType.F16));
    }

    [Theory]
    [InlineData("cpu", null, "BF16", "BF16")]
    [InlineData("cpu", null, "F16", "F16")]
    [InlineData("cpu", "F32", "BF16", "F32")]
    [InlineData("cpu", "BF16", "F32", "BF16")]
    [InlineData("cpu", "F8E4M3", "BF16", "F8E4M3")]
    [InlineData("interpreter", null, "BF16", "BF16")]
    [InlineData("interpreter", null, "F16", "F16")]
    [InlineData("interpreter", null, "F32", "F32")]
    [InlineData("interpreter", null, null, "F32")]
    [InlineData("interpreter", "F16", "BF16", "F16")]
    public void The_cache_has_the_type_asked_for_or_what_auto_is_there(string device, string? asked, string? stored, string expected)
    {
        var factory = BackendFactory.For(new DeviceOptions(device) { KvCacheDType = Parse(asked) });

        Assert.Equal(Parse(expected), factory.CacheDType(Parse(stored)));

        static DType? Parse(string? name) => name is null ? null : Enum.Parse<DType>(name);
    }

    [Fact]
    public void Ranks_that_share_a_device_are_all_said_to_compute_on_it()
    {
        var factory = BackendFactory.For(new DeviceOptions("interpreter") { ExactGpus = true }, ranks: 2);

        Assert.Equal(["interpreter", "interpreter"], factory.Titles);
    }
}
