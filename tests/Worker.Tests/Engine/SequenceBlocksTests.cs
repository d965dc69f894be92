using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Blocks of several groups of layers: who holds which, exactly.</summary>
public class SequenceBlocksTests
{
    private const int BlockSize = 4;

    [Fact]
    public void Blocks_beyond_the_window_are_given_back_as_a_sequence_goes_on()
    {
        var pool = new BlockPool(64, BlockSize);
        var scheduler = Scheduler(pool, [6, 0], budget: 8);
        var sequence = Prompt(30);
        scheduler.Add(sequence);
        for (var step = 0; step < 4; step++)
        {
            scheduler.Plan();
        }

        // 30 tokens are 8 blocks. The query at position 24, where the last step began, reads from 19 on, which is in block 4.
        Assert.Equal([(0, 8), (4, 8)], Tables(sequence));
        Assert.Equal(8 + 4, pool.NumUsed);

        // The next at 30 reads from 25 on, in block 6.
        sequence.Append(1);
        scheduler.Plan();
        Assert.Equal([(0, 8), (6, 8)], Tables(sequence));
        Assert.Equal(8 + 2, pool.NumUsed);
    }

    [Fact]
    public void Blocks_before_the_chunk_are_given_back_when_the_next_chunk_begins()
    {
        var pool = new BlockPool(64, BlockSize);
        var scheduler = Scheduler(pool, [-8], budget: 64);
        var sequence = Prompt(15);
        scheduler.Add(sequence);
        scheduler.Plan();
        sequence.Append(1);
        scheduler.Plan();
        Assert.Equal([(2, 4)], Tables(sequence));

        sequence.Append(1);
        scheduler.Plan();
        Assert.Equal([(4, 5)], Tables(sequence));
        Assert.Equal(1, pool.NumUsed);
    }

    [Fact]
    public void A_long_prompt_enters_with_as_many_blocks_of_a_window_as_its_steps_need_at_once()
    {
        // Of 100 blocks' tokens the window needs those that a step writes and reads: (5 + 8) / 4 and one more, as none is aligned.
        var pool = new BlockPool(100 + 5, BlockSize);
        var scheduler = Scheduler(pool, [6, 0], budget: 8);
        var sequence = Prompt(400);
        scheduler.Add(sequence);
        for (var computed = 0; computed < 400; computed += 8)
        {
            Assert.Equal(8, scheduler.Plan().NumTokens);
            Assert.InRange(pool.NumUsed, 100, 105);
        }

        Assert.Equal(0, scheduler.NumPreemptions);
    }

    /// <summary>A hit needs all blocks of a full group, but of a window only those that the next query reads.</summary>
    [Fact]
    public void A_prefix_is_a_hit_as_far_as_every_group_has_what_it_reads()
    {
        var pool = new BlockPool(64, BlockSize);
        var scheduler = Scheduler(pool, [6, 0], budget: 64);
        var first = Prompt(33);
        scheduler.Add(first);
        scheduler.Plan();
        first.Append(1);
        scheduler.Plan();
        scheduler.Finish(first);

        var second = Prompt(33);
        scheduler.Add(second);
        scheduler.Plan();

        // Position 32 reads from 27 on: blocks 6 and 7 of the window, all eight of the other group.
        Assert.Equal(32, second.NumCachedTokens);
        Assert.Equal([(0, 9), (6, 9)], Tables(second));
        Assert.Equal(9 + 3, pool.NumUsed);
    }

    [Fact]
    public void A_window_that_lost_a_block_shortens_the_hit_to_where_it_has_all_it_reads()
    {
        var pool = new BlockPool(18, BlockSize);
        var blocks = new SequenceBlocks(pool, new BlockHasher(1, 2), WindowedWorkloadTests.Groups([6, 0]), 64);
        var first = Prompt(33);
        Assert.True(blocks.TryBegin(first, 0));
        first.NumComputedTokens = 32;
        blocks.Register(first);
        var fork = first.Fork();
        blocks.Fork(first, fork);
        blocks.FreeUnread(fork, 32);
        var lost = first.BlockTables[1].Blocks[5];
        blocks.Release(first);

        // The fork holds all of the full group and the window's last two; of the window's others the latest go first.
        for (var taken = -1; taken != lost;)
        {
            taken = pool.Allocate();
        }

        Assert.Equal(8, blocks.FindPrefix(Prompt(33), 8));
        Assert.Equal(5, blocks.FindPrefix(Prompt(33), 7));
        Assert.Equal(4, blocks.FindPrefix(Prompt(33), 4));
    }

    /// <summary>Random requests that come, end, fork, are preempted and share prefixes: after every plan each block has as many holders as
    /// tables name it, and no group holds a block of another.</summary>
    [Theory]
    [InlineData(1, 6, 6, 6, 0)]
    [InlineData(2, 5)]
    [InlineData(3, 0)]
    [InlineData(4, -8, -8, 0)]
    [InlineData(5, 3, -8)]
    public void Every_block_is_held_by_those_whose_tables_name_it(int seed, params int[] layers)
    {
        var random = new Random(seed);
        var (preemptions, hits, forks) = (0L, 0L, 0);
        for (var round = 0; round < 20; round++)
        {
            var groups = WindowedWorkloadTests.Groups(layers);
            var budget = random.Next(8, 30);
            var pool = new BlockPool((int)groups.BlocksFor(60, budget, BlockSize) + random.Next(30), BlockSize);
            var scheduler = new Scheduler(
                pool, random.Next(3) > 0 ? new BlockHasher(1, 2) : null, 6, budget, true, stepsPerPlan: random.Next(1, 4), groups: groups);
            for (var step = 0; step < 150; step++)
            {
                if (random.Next(3) == 0 && scheduler.NumWaiting < 4)
                {
                    scheduler.Add(Prompt(random.Next(1, 40), random.Next(2)));
                }

                if (random.Next(4) == 0)
                {
                    scheduler.TryPlanAhead();
                }

                scheduler.Plan();
                AssertExact(pool, scheduler, groups);
                foreach (var entry in scheduler.Scheduled.ToArray())
                {
                    if (entry.LogitIndex < 0 || entry.Sequence.State != SequenceState.Running)
                    {
                        continue;
                    }

                    if (entry.Sequence.Length == 59 || random.Next(20) == 0)
                    {
                        scheduler.Finish(entry.Sequence);
                        continue;
                    }

                    if (random.Next(10) == 0 && scheduler.NumRunning < 6)
                    {
                        var fork = entry.Sequence.Fork();
                        scheduler.Fork(entry.Sequence, fork);
                        fork.Append(random.Next(5));
                        forks++;
                    }

                    entry.Sequence.Append(random.Next(5));
                }
            }

            preemptions += scheduler.NumPreemptions;
            hits += scheduler.NumPrefixHits;
            foreach (var sequence in scheduler.Running.ToArray())
            {
                scheduler.Finish(sequence);
            }

            Assert.Equal(pool.NumBlocks, pool.NumFree);
        }

        Assert.True(preemptions > 20 && hits > 200 && forks > 50, $"{preemptions} preemptions, {hits} hits, {forks} forks");
    }

    private static void AssertExact(BlockPool pool, Scheduler scheduler, KvGroups groups)
    {
        var holders = new int[pool.NumBlocks];
        var group = Enumerable.Repeat(-1, pool.NumBlocks).ToArray();
        foreach (var sequence in scheduler.Running)
        {
            Assert.Equal(groups.Count, sequence.BlockTables.Length);
            for (var i = 0; i < groups.Count; i++)
            {
                var table = sequence.BlockTables[i];
                Assert.True(table.Count * BlockSize >= sequence.NumComputedTokens, "tokens without a block");
                foreach (var block in table.Blocks[table.First..])
                {
                    holders[block]++;
                    Assert.True(group[block] < 0 || group[block] == i, $"block {block} is in two groups");
                    group[block] = i;
                }
            }
        }

        Assert.Equal(holders.Count(count => count == 0), pool.NumFree);
        Assert.All(Enumerable.Range(0, pool.NumBlocks), block =>
        {
            Assert.Equal(holders[block] == 0, pool.IsFree(block));
            Assert.Equal(holders[block] > 1, pool.IsShared(block));
        });
    }

    [Fact]
    public void A_step_of_decodes_allocates_nothing_while_windows_move_on()
    {
        var pool = new BlockPool(4096, BlockSize);
        var scheduler = Scheduler(pool, [6, 6, 0], budget: 4096, maxNumSeqs: 64);
        for (var i = 0; i < 64; i++)
        {
            scheduler.Add(Prompt(20, 1000 * i));
        }

        void Step()
        {
            var batch = scheduler.Plan();
            foreach (var entry in scheduler.Scheduled)
            {
                entry.Sequence.Append(batch.NumTokens);
            }
        }

        for (var i = 0; i < 4; i++)
        {
            Step();
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 7; i++)
        {
            Step();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static Scheduler Scheduler(BlockPool pool, int[] layers, int budget, int maxNumSeqs = 4) =>
        new(pool, new BlockHasher(1, 2), maxNumSeqs, budget, true, groups: WindowedWorkloadTests.Groups(layers));

    private static Sequence Prompt(int length, int start = 0) => new([.. Enumerable.Range(start, length)]);

    private static IEnumerable<(int First, int Count)> Tables(Sequence sequence) =>
        sequence.BlockTables.Select(table => (table.First, table.Count));
}
