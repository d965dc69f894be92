using Cluster.Worker.Serving.Limits;

namespace Cluster.Worker.Tests.Serving.Limits;

public sealed class LargeBodyMemoryTests
{
    [Fact]
    public void A_burst_of_large_bodies_is_collected_once_and_the_next_burst_again()
    {
        var time = new ManualTime();
        var collections = 0;
        using var scratch = new LargeBodyMemory(time, () => collections++);

        scratch.Add(LargeBodyMemory.WorthBytes - 1);
        time.Advance(LargeBodyMemory.Delay * 2);
        Assert.Equal(0, collections);

        scratch.Add(1);
        scratch.Add(LargeBodyMemory.WorthBytes);
        Assert.Equal(0, collections);
        time.Advance(LargeBodyMemory.Delay);
        Assert.Equal(1, collections);

        time.Advance(LargeBodyMemory.Delay * 10);
        Assert.Equal(1, collections);
        scratch.Add(LargeBodyMemory.WorthBytes);
        time.Advance(LargeBodyMemory.Delay);
        Assert.Equal(2, collections);
    }
}
