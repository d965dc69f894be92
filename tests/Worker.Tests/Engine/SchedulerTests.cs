using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Engine;

public class SchedulerTests
{
    private const int BlockSize = 4;

    [Fact]
    public void A_prompt_longer_than_the_budget_is_computed_in_chunks_and_samples_once()
    {
        var scheduler = Scheduler(numBlocks: 8, budget: 4);
        scheduler.Add(Prompt(10));

        Assert.Equal((4, 0), Size(scheduler.Plan()));
        Assert.Equal((4, 0), Size(scheduler.Plan()));
        Assert.Equal((2, 1), Size(scheduler.Plan()));
    }

    [Fact]
    public void Decodes_come_before_the_prompt_that_shares_their_step_and_never_starve()
    {
        var scheduler = Scheduler(numBlocks: 32, budget: 6, maxNumSeqs: 4);
        var first = Prompt(3);
        var second = Prompt(2, start: 50);
        scheduler.Add(first);
        scheduler.Add(second);
        scheduler.Plan();
        scheduler.Add(Prompt(20, start: 100));

        for (var step = 0; step < 4; step++)
        {
            first.Append(1);
            second.Append(2);
            var batch = scheduler.Plan();
            Assert.Equal([0, 1, 2, 6], batch.QueryStarts[..4]);
            Assert.Equal(2, batch.NumLogits);
            Assert.Equal([0, 1], batch.LogitRows[..2]);
            Assert.Equal([1, 2], batch.TokenIds[..2]);
        }
    }

    [Fact]
    public void Several_rows_of_an_older_sequence_are_packed_behind_a_younger_decode()
    {
        var scheduler = Scheduler(numBlocks: 16, budget: 100);
        var (old, young) = (Prompt(5), Prompt(3, start: 50));
        scheduler.Add(old);
        scheduler.Add(young);
        scheduler.Plan();
        old.Append(1);
        old.Append(2);
        young.Append(3);

        var batch = scheduler.Plan();

        Assert.Equal([3, 1, 2], batch.TokenIds[..3]);
        Assert.Equal([3, 5, 6], batch.Positions[..3]);
        Assert.Equal([4, 7], batch.ContextLengths[..2]);
        Assert.Equal([0, 2], batch.LogitRows[..2]);
        Assert.Equal([1, 0], scheduler.Scheduled.ToArray().Select(entry => entry.LogitIndex));
    }

    [Fact]
    public void Without_chunked_prefill_a_prompt_waits_for_a_step_that_takes_it_whole()
    {
        var scheduler = Scheduler(numBlocks: 32, budget: 8, chunked: false);
        var first = Prompt(5);
        scheduler.Add(first);
        scheduler.Add(Prompt(8, start: 50));

        Assert.Equal((5, 1), Size(scheduler.Plan()));
        first.Append(1);
        Assert.Equal((1, 1), Size(scheduler.Plan()));
        scheduler.Finish(first);
        Assert.Equal((8, 1), Size(scheduler.Plan()));
    }

    [Fact]
    public void No_more_sequences_run_than_allowed()
    {
        var scheduler = Scheduler(numBlocks: 32, budget: 100, maxNumSeqs: 2);
        for (var i = 0; i < 3; i++)
        {
            scheduler.Add(Prompt(3, start: 10 * i));
        }

        Assert.Equal(2, scheduler.Plan().NumSequences);
        Assert.Equal((2, 1), (scheduler.NumRunning, scheduler.NumWaiting));
    }

    [Fact]
    public void When_blocks_run_out_the_youngest_sequence_is_preempted_and_goes_first_in_line()
    {
        var pool = new BlockPool(4, BlockSize);
        var scheduler = new Scheduler(pool, null, 4, 100, true);
        var (old, young, waiting) = (Prompt(8), Prompt(8, start: 50), Prompt(8, start: 80));
        scheduler.Add(old);
        scheduler.Add(young);
        scheduler.Add(waiting);
        scheduler.Plan();
        old.Append(1);
        young.Append(2);

        var batch = scheduler.Plan();

        Assert.Equal((1, 1), Size(batch));
        Assert.Equal(SequenceState.Waiting, young.State);
        Assert.Equal(0, young.NumComputedTokens);
        Assert.Equal(1, scheduler.NumPreemptions);
        scheduler.Finish(old);
        scheduler.Plan();
        Assert.Equal(SequenceState.Running, young.State);
        Assert.Equal(SequenceState.Waiting, waiting.State);
    }

    /// <summary>nano-vllm took a preempted sequence's second prefill for a decode of its last token.</summary>
    [Fact]
    public void A_preempted_sequence_computes_all_its_tokens_again_before_it_samples()
    {
        var pool = new BlockPool(4, BlockSize);
        var scheduler = new Scheduler(pool, null, 4, 100, true);
        var (old, young) = (Prompt(8), Prompt(7, start: 50));
        scheduler.Add(old);
        scheduler.Add(young);
        scheduler.Plan();
        old.Append(1);
        young.Append(2);
        scheduler.Plan();
        Assert.Equal(SequenceState.Waiting, young.State);
        scheduler.Finish(old);

        var batch = scheduler.Plan();

        Assert.Equal((8, 1), Size(batch));
        Assert.Equal([50, 51, 52, 53, 54, 55, 56, 2], batch.TokenIds[..8]);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], batch.Positions[..8]);
        Assert.Equal(7, batch.LogitRows[0]);
    }

    /// <summary>nano-vllm scheduled no row at all for a prompt whose every block was cached.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(9)]
    public void A_fully_cached_prompt_still_computes_its_last_token(int length)
    {
        var scheduler = Scheduler(numBlocks: 8, budget: 100);
        var first = Prompt(length);
        scheduler.Add(first);
        scheduler.Plan();
        scheduler.Finish(first);
        var second = Prompt(length);
        scheduler.Add(second);

        var batch = scheduler.Plan();

        var cached = (length - 1) / BlockSize * BlockSize;
        Assert.Equal(cached, second.NumCachedTokens);
        Assert.Equal((length - cached, 1), Size(batch));
        Assert.Equal(length - 1, batch.Positions[batch.LogitRows[0]]);
    }

    [Fact]
    public void Sequences_of_one_step_share_their_prefix()
    {
        var pool = new BlockPool(16, BlockSize);
        var scheduler = new Scheduler(pool, new BlockHasher(1, 2), 4, 100, true);
        var (first, second) = (Prompt(9), Prompt(9));
        scheduler.Add(first);
        scheduler.Add(second);

        Assert.Equal((9 + 1, 2), Size(scheduler.Plan()));
        Assert.Equal(4, pool.NumUsed);
        Assert.Equal((18, 8), (scheduler.NumPrefixQueries, scheduler.NumPrefixHits));
    }

    [Fact]
    public void A_block_is_a_hit_only_after_the_same_tokens()
    {
        var scheduler = Scheduler(numBlocks: 16, budget: 100);
        scheduler.Add(new Sequence([1, 2, 3, 4, 5, 6, 7, 8, 9]));
        scheduler.Plan();
        var elsewhere = new Sequence([5, 6, 7, 8, 9]);
        var otherwise = new Sequence([1, 2, 3, 0, 5, 6, 7, 8, 9]);
        scheduler.Add(elsewhere);
        scheduler.Plan();
        scheduler.Finish(elsewhere);
        scheduler.Add(otherwise);
        scheduler.Plan();

        Assert.Equal((0, 0), (elsewhere.NumCachedTokens, otherwise.NumCachedTokens));
    }

    [Fact]
    public void Generated_tokens_become_a_cached_prefix_too()
    {
        var scheduler = Scheduler(numBlocks: 16, budget: 100);
        var first = Prompt(6);
        scheduler.Add(first);
        for (var i = 0; i < 5; i++)
        {
            scheduler.Plan();
            first.Append(200 + i);
        }

        scheduler.Finish(first);
        var second = new Sequence(first.Tokens);
        scheduler.Add(second);
        scheduler.Plan();

        Assert.Equal(8, second.NumCachedTokens);
    }

    [Fact]
    public void A_prompt_enters_only_when_all_of_it_finds_room()
    {
        var pool = new BlockPool(4, BlockSize);
        var scheduler = new Scheduler(pool, null, 4, 4, true);
        var first = Prompt(4);
        var second = Prompt(13, start: 50);
        scheduler.Add(first);
        scheduler.Add(second);
        scheduler.Plan();
        first.Append(1);
        scheduler.Plan();

        Assert.Equal(SequenceState.Waiting, second.State);
        Assert.Equal(2, pool.NumUsed);
    }

    [Fact]
    public void Free_hits_do_not_count_as_room_for_the_rest()
    {
        var pool = new BlockPool(4, BlockSize);
        var scheduler = new Scheduler(pool, new BlockHasher(1, 2), 4, 100, true);
        var first = Prompt(8);
        scheduler.Add(first);
        scheduler.Plan();
        scheduler.Finish(first);
        var running = Prompt(4, start: 50);
        scheduler.Add(running);
        scheduler.Plan();
        Assert.Equal(3, pool.NumFree);
        var second = Prompt(16);
        scheduler.Add(second);

        running.Append(9);
        scheduler.Plan();
        Assert.Equal(SequenceState.Waiting, second.State);
        scheduler.Finish(running);
        scheduler.Plan();
        Assert.Equal(SequenceState.Running, second.State);
    }

    [Fact]
    public void A_step_of_decodes_allocates_nothing_and_costs_each_sequence_one_row()
    {
        const int NumSequences = 64;
        var scheduler = Scheduler(numBlocks: 4096, budget: 4096, maxNumSeqs: NumSequences);
        var sequences = Enumerable.Range(0, NumSequences).Select(i => Prompt(20, start: 1000 * i)).ToArray();
        foreach (var sequence in sequences)
        {
            scheduler.Add(sequence);
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

        // From here to the 32nd token no block table, token list or list of hashes has to grow, but blocks fill and are allocated.
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 7; i++)
        {
            Step();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(NumSequences, scheduler.Plan().NumTokens);
    }

    [Fact]
    public void Finishing_a_waiting_sequence_takes_it_out_of_the_line()
    {
        var scheduler = Scheduler(numBlocks: 8, budget: 100, maxNumSeqs: 1);
        var (first, second, third) = (Prompt(3), Prompt(3, start: 20), Prompt(3, start: 40));
        scheduler.Add(first);
        scheduler.Add(second);
        scheduler.Add(third);
        scheduler.Plan();

        scheduler.Finish(second);
        scheduler.Finish(first);
        scheduler.Plan();

        Assert.Equal(SequenceState.Running, third.State);
        Assert.Equal((1, 0), (scheduler.NumRunning, scheduler.NumWaiting));
    }

    private static Scheduler Scheduler(int numBlocks, int budget, int maxNumSeqs = 2, bool chunked = true, bool caching = true) =>
        new(new BlockPool(numBlocks, BlockSize), caching ? new BlockHasher(1, 2) : null, maxNumSeqs, budget, chunked);

    private static Sequence Prompt(int length, int start = 0) => new([.. Enumerable.Range(start, length)]);

    private static (int Tokens, int Logits) Size(StepBatch batch) => (batch.NumTokens, batch.NumLogits);
}
