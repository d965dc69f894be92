using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

public class HostCommunicatorTests
{
    /// <summary>Small slots and lengths around them: none, less than one, several, and both ways of summing.</summary>
    private static readonly int[] Lengths = [0, 1, 2, 15, 16, 17, 63, 1000, 8191, 8192, 8193, 8209, 16_384, 20_001, 50_000];

    public static TheoryData<HostKind, int, int> Groups()
    {
        var groups = new TheoryData<HostKind, int, int>();
        foreach (var kind in HostRanks.Kinds)
        {
            foreach (var size in new[] { 1, 2, 3, 4, 5 })
            {
                groups.Add(kind, size, 64);
                groups.Add(kind, size, 64 * 1024);
            }
        }

        return groups;
    }

    [Theory, MemberData(nameof(Groups))]
    public void Every_rank_holds_the_bits_of_the_scalar_sum_in_rank_order(HostKind kind, int size, int slotBytes)
    {
        var lengths = Lengths.Where(length => length <= slotBytes * 4).ToArray();
        HostRanks.Run(kind, size, slotBytes, communicator =>
        {
            foreach (var length in lengths)
            {
                var values = ScalarSums.Values(length, communicator.Rank, length);
                communicator.AllReduce(values);
                Assert.Equal(ScalarSums.Bits(ScalarSums.InRankOrder(length, size, length)), ScalarSums.Bits(values));
            }
        });
    }

    [Theory, MemberData(nameof(Groups))]
    public void Random_calls_at_random_paces_give_what_a_scalar_twin_gives(HostKind kind, int size, int slotBytes) =>
        HostRanks.Run(kind, size, slotBytes, communicator =>
        {
            var calls = new Random(size);
            var pace = new Random(communicator.Rank);
            for (var call = 0; call < 30; call++)
            {
                var length = calls.Next(0, calls.Next(2) == 0 ? 40 : slotBytes);
                var root = calls.Next(size);
                for (var pause = pace.Next(4); pause > 0; pause--)
                {
                    Thread.Yield();
                }

                Check(communicator, calls.Next(4), call, Math.Min(length, 18_000), root);
            }
        });

    [Theory, InlineData(HostKind.Threads), InlineData(HostKind.SharedMemory)]
    public void A_call_allocates_nothing(HostKind kind) => HostRanks.Run(kind, 2, 64 * 1024, communicator =>
    {
        var values = new float[40_000];
        var all = new float[2 * values.Length];
        CallAll();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
        {
            CallAll();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void CallAll()
        {
            communicator.AllReduce(values);
            communicator.AllGather(values, all);
            communicator.Broadcast([], 1);
            communicator.Barrier();
        }
    });

    [Theory, InlineData(HostKind.Threads), InlineData(HostKind.SharedMemory)]
    public void A_gather_into_the_wrong_length_and_a_root_that_is_no_rank_are_refused(HostKind kind) =>
    HostRanks.Run(kind, 2, 64, communicator =>
    {
        Assert.Throws<ArgumentException>(() => communicator.AllGather(new float[3], new float[7]));
        Assert.Throws<ArgumentOutOfRangeException>(() => communicator.Broadcast([1], 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => communicator.Broadcast([1], -1));
    });

    [Fact]
    public void A_group_that_cannot_be_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ThreadCommunicator.CreateGroup(0, HostRanks.Generous));
        Assert.Throws<ArgumentOutOfRangeException>(() => ThreadCommunicator.CreateGroup(65, HostRanks.Generous));
        Assert.Throws<ArgumentOutOfRangeException>(() => ThreadCommunicator.CreateGroup(2, TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => ThreadCommunicator.CreateGroup(2, HostRanks.Generous, 100));
        var exception = Assert.Throws<ArgumentOutOfRangeException>(
            () => SharedMemoryCommunicator.Join("unused", 2, 2, new SharedMemoryOptions()));
        Assert.Contains("ranks of a group of 2 are 0 to 1", exception.Message);
    }

    private static void Check(Communicator communicator, int kind, int seed, int length, int root)
    {
        var size = communicator.Size;
        var values = ScalarSums.Values(seed, communicator.Rank, length);
        switch (kind)
        {
            case 0:
                communicator.AllReduce(values);
                Assert.Equal(ScalarSums.Bits(ScalarSums.InRankOrder(seed, size, length)), ScalarSums.Bits(values));
                break;
            case 1:
                var all = new float[size * length];
                communicator.AllGather(values, all);
                Assert.Equal(Enumerable.Range(0, size).SelectMany(rank => ScalarSums.Values(seed, rank, length)), all);
                break;
            case 2:
                var bytes = new byte[length];
                new Random(seed * 1000 + communicator.Rank).NextBytes(bytes);
                communicator.Broadcast(bytes, root);
                var expected = new byte[length];
                new Random(seed * 1000 + root).NextBytes(expected);
                Assert.Equal(expected, bytes);
                break;
            default:
                communicator.Barrier();
                break;
        }
    }
}
