using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Startup;

public sealed class VisibleGpusTests
{
    [Theory]
    [InlineData(0, 2, true)]
    [InlineData(2, 2, true)]
    [InlineData(8, 2, false)]
    public void As_many_as_are_needed_are_enough_and_none_means_that_ranks_share_the_processor(int visible, int ranks, bool exactly) =>
        Assert.Null(Record.Exception(() => VisibleGpus.Require(Gpus(visible), ranks, exactly, visible: null)));

    [Fact]
    public void One_too_many_for_a_worker_that_serves_is_told_with_devices_and_variable()
    {
        var refused = Assert.Throws<StartupException>(() => VisibleGpus.Require(Gpus(2), 1, exactly: true, visible: null));

        Assert.Equal(
            "--tensor-parallel-size 1 needs exactly 1 GPU(s), but 2 can be seen: MI300X (GPU-0000000000000000); MI300X "
            + "(GPU-0000000000000001). ROCR_VISIBLE_DEVICES names those to use; it is not set",
            refused.Message);
    }

    [Fact]
    public void One_too_few_is_told_with_devices_and_variable()
    {
        var refused = Assert.Throws<StartupException>(() => VisibleGpus.Require(Gpus(1), 2, exactly: false, visible: "0"));

        Assert.Equal(
            "--tensor-parallel-size 2 needs at least 2 GPU(s), but 1 can be seen: MI300X (GPU-0000000000000000). ROCR_VISIBLE_DEVICES "
            + "names those to use; it is '0'",
            refused.Message);
    }

    private static IReadOnlyList<DeviceDescription> Gpus(int count) =>
        [.. Enumerable.Range(0, count).Select(index => new DeviceDescription("opencl", "MI300X", "OpenCL", IsGpu: true, 192L << 30, 304)
        {
            Uuid = $"GPU-{index:x16}",
        })];
}
