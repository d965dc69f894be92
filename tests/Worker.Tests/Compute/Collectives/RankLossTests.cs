using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

public class RankLossTests
{
    [Fact]
    public void A_rank_that_does_not_answer_is_named_by_all_others_in_every_later_call()
    {
        using var othersFailed = new CountdownEvent(2);
        var failures = HostRanks.Failures(HostKind.Threads, 3, 64, TimeSpan.FromSeconds(0.2), communicator =>
        {
            if (communicator.Rank == 1)
            {
                Assert.True(othersFailed.Wait(HostRanks.Generous));
                return;
            }

            try
            {
                Assert.Throws<RankLostException>(communicator.Barrier);
                communicator.AllReduce(new float[5]);
            }
            finally
            {
                othersFailed.Signal();
            }
        });
        Assert.Null(failures[1]);
        Assert.All(new[] { failures[0], failures[2] }, failure =>
        {
            Assert.Contains("rank 1 has not answered for 0.2 s", Assert.IsType<RankLostException>(failure).Message);
        });
    }

    [Theory, InlineData(HostKind.Threads), InlineData(HostKind.SharedMemory)]
    public void A_rank_that_leaves_ends_the_calls_that_wait_for_it(HostKind kind)
    {
        var failures = HostRanks.Failures(kind, 3, 64, Timeout.InfiniteTimeSpan, communicator =>
        {
            if (communicator.Rank != 2)
            {
                communicator.AllReduce(new float[100]);
            }
        });
        Assert.Null(failures[2]);
        Assert.All(
            failures[..2], failure => Assert.Matches("rank 2.* has left the group", Assert.IsType<RankLostException>(failure).Message));
    }

    [Theory, InlineData(HostKind.Threads), InlineData(HostKind.SharedMemory)]
    public void Ranks_that_make_different_calls_are_told_which(HostKind kind)
    {
        var failures = HostRanks.Failures(kind, 2, 64, HostRanks.Generous, communicator =>
        {
            if (communicator.Rank == 0)
            {
                communicator.AllReduce(new float[3]);
            }
            else
            {
                communicator.Barrier();
            }
        });
        Assert.Equal(
            "rank 1 calls barrier, rank 0 all-reduce of 12 bytes: ranks must make the same calls in the same order",
            Assert.IsType<InvalidOperationException>(failures[0]).Message);
        Assert.IsType<InvalidOperationException>(failures[1]);
    }
}
