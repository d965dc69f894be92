using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Tests.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Sums over ranks on devices, against those on the host. The fake's own sums are in the opposite order.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class DeviceSumTests : IDisposable
{
    private readonly FakeGpu _gpu = FakeGpu.Cuda();

    public void Dispose() => _gpu.Dispose();

    [Theory]
    [InlineData(2, 1000)]
    [InlineData(3, 1)]
    [InlineData(3, 7)]
    [InlineData(4, 4099)]
    [InlineData(3, 65_537)]
    [InlineData(4, 70_001)]
    [InlineData(8, 65_600)]
    public void Have_the_bits_of_the_host_s_rank_order_whatever_their_length(int ranks, int count)
    {
        _gpu.SetDevices(ranks);
        var expected = ScalarSums.Bits(ScalarSums.InRankOrder(1, ranks, count));
        HostRanks.Run(HostKind.Threads, ranks, 4096, end =>
        {
            using var backend = DeviceRanks.Create(_gpu, end);
            var x = backend.Allocate("x", DType.F32, 1, count);
            backend.Upload(MemoryMarshal.Cast<float, int>(ScalarSums.Values(1, end.Rank, count)), x with { DType = DType.I32 });
            backend.AllReduce(x);
            var sums = new float[count];
            backend.Download(x, sums);

            Assert.Equal(expected, ScalarSums.Bits(sums));
            end.Barrier();
        });

        Assert.DoesNotContain("complaint", _gpu.Text);
        Assert.Equal(0, _gpu.MemoryUsed);
    }

    [Fact]
    public void A_rank_that_is_lost_ends_the_wait_of_the_others()
    {
        _gpu.SetDevices(3);
        var failures = HostRanks.Failures(HostKind.Threads, 3, 4096, HostRanks.Generous, end =>
        {
            using var backend = DeviceRanks.Create(_gpu, end);
            var x = backend.Allocate("x", DType.F32, 1, 64);
            end.Barrier();
            _gpu.LoseRank();
            end.Barrier();
            backend.AllReduce(x);
            backend.Download(x, new float[64]);
        });

        Assert.All(Enumerable.Range(0, 3), rank => Assert.StartsWith(
            $"rank {rank}: {_gpu.LibraryPath} reports 'remote process exited' (6)",
            Assert.IsType<RankLostException>(failures[rank]).Message));
        Assert.DoesNotContain("complaint", _gpu.Text);
        Assert.Equal(0, _gpu.MemoryUsed);
    }

    [Fact]
    public void Ranks_of_which_one_can_not_capture_compute_their_steps()
    {
        _gpu.SetDevices(2);
        _gpu.SetCapturable(false, device: 0);
        HostRanks.Run(HostKind.Threads, 2, 4096, end =>
        {
            using var backend = DeviceRanks.Create(_gpu, end);
            Assert.True(backend.CapturesGraphs);
            var shape = new GraphShape(null!, 1, 1);
            var x = backend.Allocate("x", DType.F32, 1, 64);
            Assert.Equal(GraphUse.Compute, backend.BeginGraph(shape));
            backend.AllReduce(x);
            Assert.Equal(GraphUse.Capture, backend.BeginGraph(shape));
            backend.AllReduce(x);
            Assert.False(backend.EndGraph(shape));
            backend.AllReduce(x);
            Assert.Equal(GraphUse.Compute, backend.BeginGraph(shape));
            backend.Download(x, new float[64]);
            end.Barrier();
        });

        Assert.Equal(0, _gpu.Replays);
    }
}
