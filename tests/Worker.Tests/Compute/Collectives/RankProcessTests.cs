using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

[Trait(Category.Name, Category.Slow)]
public class RankProcessTests
{
    [Fact]
    public void Processes_hold_the_bits_of_the_scalar_sum_and_leave_no_file()
    {
        var path = SharedMemoryCommunicator.NewPath();
        var ranks = Start(path, size: 3, rounds: 8);
        try
        {
            Assert.All(ranks, rank => Assert.Equal(0, rank.ExitCode()));
            Assert.False(File.Exists(path));
        }
        finally
        {
            Array.ForEach(ranks, rank => rank.Dispose());
        }
    }

    [Fact]
    public void A_killed_process_is_named_by_all_others_which_end()
    {
        var path = SharedMemoryCommunicator.NewPath();
        var ranks = Start(path, size: 3, rounds: 0);
        try
        {
            Assert.All(ranks, rank => Assert.Equal("joined", rank.Output.ReadLine()));
            Assert.False(File.Exists(path), "the file has a name although all ranks have joined: a crash would leave it");
            ranks[1].Kill();
            foreach (var survivor in new[] { ranks[0], ranks[2] })
            {
                Assert.Equal($"rank 1 (process {ranks[1].Id}) has ended without leaving the group", survivor.Output.ReadLine());
                Assert.Equal(RankProgram.ExitAfterLoss, survivor.ExitCode());
            }
        }
        finally
        {
            Array.ForEach(ranks, rank => rank.Dispose());
        }
    }

    private static RankProgram[] Start(string path, int size, int rounds) =>
        [.. Enumerable.Range(0, size).Select(rank => RankProgram.Start(path, rank, size, rounds))];
}
