using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Attention;

public class RopeTests
{
    private const int HeadDim = 70;

    [Fact]
    public void Far_positions_are_rotated_as_exactly_as_near_ones()
    {
        var frequencies = Enumerable.Range(0, 33).Select(i => (float)Math.Pow(500_000, -i / 33.0)).ToArray();
        var row = HostTensors.Random(new Random(1), 4 * HeadDim);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var actual = Rotate(
                device, device.Backend.LoadRope(new RopeFrequencies(frequencies, 1, 20_000)), row, position: 19_999, slot: 5);
            for (var head = 0; head < 3; head++)
            {
                var expected = ScalarTwin.Rotate(row.AsSpan(head * HeadDim, HeadDim), frequencies, 1, 19_999);
                for (var d = 0; d < HeadDim; d++)
                {
                    Assert.Equal(expected[d], actual[head * HeadDim + d], 3e-7);
                }
            }

            Assert.Equal(row[(3 * HeadDim)..], actual[(3 * HeadDim)..]);
        });
    }

    [Fact]
    public void Chosen_heads_are_rotated_from_a_dimension_on_and_the_others_left_alone()
    {
        const int First = 13;
        var frequencies = Enumerable.Range(0, 27).Select(i => (float)Math.Pow(10_000, -i / 27.0)).ToArray();
        var row = HostTensors.Random(new Random(3), 4 * HeadDim);
        foreach (var interleaved in new[] { false, true })
        {
            Assert.All(CpuDevice.Widths, width =>
            {
                using var device = new CpuDevice(width);
                var rope = device.Backend.LoadRope(
                    new RopeFrequencies(frequencies, 0.8f, 300) { Interleaved = interleaved, FirstDim = First });
                var heads = device.Floats(row, 1, 4 * HeadDim);
                device.Backend.Rotate(heads, rope, device.Integers(1, 1, 211), 1, 2, HeadDim);
                var actual = device.Read(heads);
                for (var head = 0; head < 4; head++)
                {
                    var isRotated = head is 1 or 2;
                    var expected = ScalarTwin.Rotate(
                        row.AsSpan(head * HeadDim, HeadDim), isRotated ? frequencies : [], 0.8f, 211, interleaved, First);
                    for (var d = 0; d < HeadDim; d++)
                    {
                        Assert.Equal(expected[d], actual[head * HeadDim + d], 3e-7);
                    }
                }
            });
        }
    }

    [Fact]
    public void Without_a_table_nothing_is_rotated()
    {
        var row = HostTensors.Random(new Random(2), 4 * HeadDim);
        using var device = new CpuDevice(VectorWidth.Bits256);
        Assert.Equal(row, Rotate(device, null, row, position: 7, slot: 0));
    }

    [Theory]
    [InlineData(10, 0, "the rope table covers positions below 10")]
    [InlineData(3, 32, "the cache has 2 blocks of 16 slots")]
    [InlineData(3, -1, "the cache has 2 blocks of 16 slots")]
    public void A_position_or_slot_that_does_not_exist_is_refused(int position, int slot, string message)
    {
        using var device = new CpuDevice(VectorWidth.Bits256);
        var rope = device.Backend.LoadRope(new RopeFrequencies([1f], 1, 10));
        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => Rotate(device, rope, new float[4 * HeadDim], position, slot));
        Assert.Contains(message, exception.Message, StringComparison.Ordinal);
    }

    /// <summary>Two query heads, one key head and one value head of one row.</summary>
    private static float[] Rotate(CpuDevice device, RopeTable? rope, float[] row, int position, int slot)
    {
        var cache = device.Backend.AllocateKvCache(new KvCacheLayout(1, 1, HeadDim, 16, 2, DType.F32));
        var none = device.Integers(1, 1, 0);
        var inputs = new AttentionInputs(device.Integers(1, 1, position), device.Integers(1, 1, slot), none, none, none, 1, 1);
        var qkv = device.Floats(row, 1, 4 * HeadDim);
        device.Backend.RopeAndCache(qkv, rope, inputs, cache, 0);
        return device.Read(qkv);
    }
}
