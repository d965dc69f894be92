using Cluster.Worker.Serving.Limits;

namespace Cluster.Worker.Tests.Serving.Limits;

public sealed class ScratchMemoryTests
{
    [Fact]
    public void A_burst_of_large_bodies_is_collected_once_and_the_next_burst_again()
    {
        var time = new ManualTime();
        var collections = 0;
        using var scratch = new ScratchMemory(time, () => collections++);

        scratch.Add(ScratchMemory.WorthBytes - 1);
        time.Advance(ScratchMemory.Delay * 2);
        Assert.Equal(0, collections);

        scratch.Add(1);
        scratch.Add(ScratchMemory.WorthBytes);
        Assert.Equal(0, collections);
        time.Advance(ScratchMemory.Delay);
        Assert.Equal(1, collections);

        time.Advance(ScratchMemory.Delay * 10);
        Assert.Equal(1, collections);
        scratch.Add(ScratchMemory.WorthBytes);
        time.Advance(ScratchMemory.Delay);
        Assert.Equal(2, collections);
    }
}
