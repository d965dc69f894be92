using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Tests.Compute.Cpu;

namespace Cluster.Worker.Tests.Compute.Collectives;

public class CpuBackendCollectiveTests
{
    [Theory, InlineData(1, 1, 7), InlineData(2, 1, 5), InlineData(3, 4, 5), InlineData(4, 3, 33)]
    public void Tensors_are_summed_and_put_side_by_side_over_the_ranks(int size, int rows, int columns) =>
        HostRanks.Run(HostKind.Threads, size, 256, communicator =>
        {
            using var device = new CpuDevice(VectorWidth.Scalar, communicator: communicator);
            var part = device.Floats(ScalarSums.Values(1, communicator.Rank, rows * columns), rows, columns);
            var output = device.Empty(rows, columns * size);
            device.Backend.AllGather(part, output);
            var expected =
                from row in Enumerable.Range(0, rows)
                from rank in Enumerable.Range(0, size)
                from value in ScalarSums.Values(1, rank, rows * columns).AsSpan(row * columns, columns).ToArray()
                select value;
            Assert.Equal(expected, device.Read(output));

            device.Backend.AllReduce(part);
            Assert.Equal(ScalarSums.InRankOrder(1, size, rows * columns), device.Read(part));
        });

    [Fact]
    public void A_backend_without_a_group_leaves_sums_and_refuses_to_gather()
    {
        using var device = new CpuDevice(VectorWidth.Scalar);
        var x = device.Floats([1, 2, 3], 1, 3);
        device.Backend.AllReduce(x);
        Assert.Equal([1, 2, 3], device.Read(x));
        Assert.Throws<NotSupportedException>(() => device.Backend.AllGather(x, device.Empty(1, 3)));
    }
}
