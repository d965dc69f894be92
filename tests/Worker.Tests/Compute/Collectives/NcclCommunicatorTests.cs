using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

public class NcclCommunicatorTests
{
    [Fact]
    public void Rank_0_makes_the_id_and_every_rank_joins_with_it()
    {
        var libraries = new FakeNccl[] { new(), new(), new() };
        HostRanks.Run(HostKind.Threads, 3, 256, host => new NcclCommunicator(libraries[host.Rank], host).Dispose());
        Assert.Equal(["GetUniqueId", "CommInitRank 0 of 3, id of rank 0", "CommDestroy 4711"], libraries[0].Calls);
        Assert.Equal(["CommInitRank 1 of 3, id of rank 0", "CommDestroy 4711"], libraries[1].Calls);
        Assert.Equal(["CommInitRank 2 of 3, id of rank 0", "CommDestroy 4711"], libraries[2].Calls);
    }

    [Fact]
    public void Device_messages_go_to_the_library_in_place_and_host_messages_to_the_host()
    {
        var library = new FakeNccl();
        Alone(library, communicator =>
        {
            communicator.AllReduce(100, 5, 7);
            communicator.AllGather(200, 300, 6, 8);
            communicator.Broadcast(400, 9, 0, 10);
            communicator.Exchange([new RankMessage(2, 500, 3, IsReceived: false), new RankMessage(1, 600, 4, IsReceived: true)], 11);
            communicator.CheckHealth();
            var values = new float[] { 1, 2 };
            communicator.AllReduce(values);
            Assert.Equal([1, 2], values);
            communicator.Barrier();
        });
        Assert.Equal(
            ["AllReduce 100 100 5 Float32 4711 7", "AllGather 200 300 6 Float32 4711 8", "Broadcast 400 400 9 UInt8 0 4711 10",
                "GroupStart", "Send 500 3 Float32 2 4711 11", "Receive 600 4 Float32 1 4711 11", "GroupEnd",
                "CommGetAsyncError 4711", "CommDestroy 4711"],
            library.Calls[2..]);
    }

    [Fact]
    public void An_id_that_cannot_be_made_fails_every_rank_with_the_function_and_the_reason()
    {
        var failures = HostRanks.Failures(
            HostKind.Threads, 2, 256, HostRanks.Generous,
            host => new NcclCommunicator(new FakeNccl { Fails = ("GetUniqueId", 3) }, host).Dispose());
        Assert.All(Enumerable.Range(0, 2), rank =>
        {
            Assert.Equal(
                $"rank {rank}: ncclGetUniqueId of libfake.so failed with 'error number 3' (3)",
                Assert.IsType<InvalidOperationException>(failures[rank]).Message);
        });
    }

    [Fact]
    public void A_failed_call_is_named_and_the_communicator_aborted()
    {
        var library = new FakeNccl { Fails = ("AllReduce", 1) };
        Alone(library, communicator =>
            Assert.Contains(
                "ncclAllReduce of libfake.so failed with 'error number 1'",
                Assert.Throws<InvalidOperationException>(() => communicator.AllReduce(1, 1, 0)).Message));
        Assert.Equal("CommAbort 4711", library.Calls[^1]);
    }

    [Fact]
    public void A_remote_failure_is_a_lost_rank_whether_a_call_or_the_stream_meets_it()
    {
        var library = new FakeNccl { Fails = ("Broadcast", 6) };
        Alone(library, communicator =>
        {
            Assert.Throws<RankLostException>(() => communicator.Broadcast(1, 1, 0, 0));
            library.AsyncError = 7;
            communicator.CheckHealth();
            library.AsyncError = 6;
            Assert.Contains("libfake.so reports 'error number 6' (6)", Assert.Throws<RankLostException>(communicator.CheckHealth).Message);
        });
        Assert.Equal("CommAbort 4711", library.Calls[^1]);
    }

    private static void Alone(FakeNccl library, Action<NcclCommunicator> body) => HostRanks.Run(HostKind.Threads, 1, 256, host =>
    {
        using var communicator = new NcclCommunicator(library, host);
        body(communicator);
    });
}
