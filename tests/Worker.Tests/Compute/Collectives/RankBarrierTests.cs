using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

public unsafe class RankBarrierTests
{
    private const int Size = 3;
    private const int Rounds = 200;

    /// <summary>A decode step has two barriers a layer, so the count of a busy replica wraps around within days.</summary>
    [Fact]
    public void The_count_of_barriers_may_wrap_around()
    {
        var header = (GroupHeader*)NativeMemory.AllocZeroed((nuint)sizeof(GroupHeader));
        var lines = (RankLine*)NativeMemory.AllocZeroed(Size, (nuint)sizeof(RankLine));
        var reached = new int[Size];
        var torn = 0;
        for (var rank = 0; rank < Size; rank++)
        {
            lines[rank].State = RankLine.Joined;
            lines[rank].Arrived = int.MaxValue - (Rounds / 2);
        }

        var threads = Enumerable.Range(0, Size).Select(rank => new Thread(() =>
        {
            var barrier = new RankBarrier(header, lines, rank, Size, HostRanks.Generous, new Immortal());
            for (var round = 1; round <= Rounds; round++)
            {
                Volatile.Write(ref reached[rank], round);
                barrier.Wait(CollectiveCall.Barrier);
                if (reached.Any(other => other < round))
                {
                    Interlocked.Increment(ref torn);
                }
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        Assert.Equal(0, torn);
        Assert.All(Enumerable.Range(0, Size), rank => Assert.True(lines[rank].Arrived < 0));
        NativeMemory.Free(lines);
        NativeMemory.Free(header);
    }

    private sealed class Immortal : IRankLiveness
    {
        public bool IsAlive(int rank) => true;

        public bool CanJoin() => true;
    }
}
