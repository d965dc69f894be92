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
    public void A_device_that_this_build_lacks_is_refused_and_those_it_has_are_named(string device)
    {
        var refused = Assert.Throws<StartupException>(() => BackendFactory.For(new DeviceOptions(device)));

        Assert.Equal($"--device {device}: this build has no {device} launcher; it has cpu, opencl and interpreter", refused.Message);
    }

    [Fact]
    public void What_an_option_comes_to_on_the_device_is_said()
    {
        var plain = BackendFactory.For(new DeviceOptions());
        var withGraphs = BackendFactory.For(new DeviceOptions { EnforceEager = true, MaxSeqLenToCapture = 8192 });

        Assert.Equal(["dtype auto: weights as stored (bfloat16), activations float32"], plain.Remarks(requested: null, DType.BF16));
        Assert.Equal(
            [
                "dtype float32: weights as stored (float16), activations float32",
                "--enforce-eager has no effect on cpu: it captures no graphs",
                "--max-seq-len-to-capture 8192 has no effect on cpu: it captures no graphs",
            ],
            withGraphs.Remarks(DType.F32, DType.F16));
    }
}
