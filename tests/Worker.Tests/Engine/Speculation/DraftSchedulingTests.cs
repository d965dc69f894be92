using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine.Speculation;

/// <summary>What drafts get of a step: only what nobody else wants.</summary>
public class DraftSchedulingTests
{
    private const int BlockSize = 4;

    [Fact]
    public void A_draft_gets_a_row_and_logits_for_each_token()
    {
        var scheduler = Scheduler(numBlocks: 8);
        var sequence = Decoding(scheduler, [1, 2, 3], next: 4);
        Draft(sequence, 50, 51);

        var batch = scheduler.Plan();

        Assert.Equal([4, 50, 51], batch.TokenIds[..batch.NumTokens]);
        Assert.Equal([3, 4, 5], batch.Positions[..3]);
        Assert.Equal([0, 1, 2], batch.LogitRows[..batch.NumLogits]);
        Assert.Equal(6, batch.ContextLengths[0]);
        Assert.Equal(0, scheduler.Scheduled[0].LogitIndex);
    }

    [Fact]
    public void Drafts_do_not_take_rows_that_prompts_want()
    {
        var scheduler = Scheduler(numBlocks: 16, budget: 6);
        var sequence = Decoding(scheduler, [1, 2, 3], next: 4);
        Draft(sequence, 50, 51, 52);
        scheduler.Add(new Sequence([7, 8, 9, 10]));

        var batch = scheduler.Plan();

        Assert.Equal(6, batch.NumTokens);
        Assert.Equal(1, sequence.NumDraftTokens);
    }

    [Fact]
    public void Drafts_take_no_more_logits_than_the_runner_has()
    {
        var scheduler = Scheduler(numBlocks: 16, maxLogits: 3);
        var sequence = Decoding(scheduler, [1, 2, 3], next: 4);
        Draft(sequence, 50, 51, 52);

        Assert.Equal(3, scheduler.Plan().NumLogits);
        Assert.Equal(2, sequence.NumDraftTokens);
    }

    [Fact]
    public void Drafts_never_preempt()
    {
        var scheduler = Scheduler(numBlocks: 2);
        var (first, second) = (Decoding(scheduler, [1, 2], next: 3), Decoding(scheduler, [5, 6], next: 7));
        Draft(first, 50, 51, 52);

        var batch = scheduler.Plan();

        Assert.Equal(0, scheduler.NumPreemptions);
        Assert.Equal(2, batch.NumSequences);
        Assert.Equal((1, 0), (first.NumDraftTokens, second.NumDraftTokens));
    }

    [Fact]
    public void Blocks_of_wrong_guesses_are_given_back()
    {
        var pool = new BlockPool(8, BlockSize);
        var scheduler = new Scheduler(pool, BlockHasher.Create(), 4, 64, true);
        var sequence = Decoding(scheduler, [1, 2, 3], next: 4);
        Draft(sequence, 50, 51, 52, 53, 54);
        scheduler.Plan();
        Assert.Equal(3, pool.NumUsed);

        sequence.Append(50);
        sequence.Append(9);
        scheduler.SettleDraft(sequence);

        Assert.Equal((2, 5), (pool.NumUsed, sequence.NumComputedTokens));
        scheduler.Finish(sequence);
        Assert.Equal(0, pool.NumUsed);
    }

    [Fact]
    public void Blocks_are_offered_for_sharing_only_once_their_tokens_are_known()
    {
        var pool = new BlockPool(16, BlockSize);
        var hasher = BlockHasher.Create();
        var scheduler = new Scheduler(pool, hasher, 4, 64, true);
        var sequence = Decoding(scheduler, [1, 2, 3], next: 4);
        Draft(sequence, 50, 51, 52, 53);
        scheduler.Plan();
        Assert.True(pool.TryFind(new Sequence([1, 2, 3, 4]).HashOfBlock(0, hasher, BlockSize), out _));
        Assert.False(pool.TryFind(new Sequence([1, 2, 3, 4, 50, 51, 52, 53]).HashOfBlock(1, hasher, BlockSize), out _));

        foreach (var token in (int[])[50, 51, 9])
        {
            sequence.Append(token);
        }

        scheduler.SettleDraft(sequence);
        sequence.Append(10);
        scheduler.Plan();

        Assert.False(pool.TryFind(new Sequence([1, 2, 3, 4, 50, 51, 52, 53]).HashOfBlock(1, hasher, BlockSize), out _));
        Assert.True(pool.TryFind(new Sequence([1, 2, 3, 4, 50, 51, 9, 10]).HashOfBlock(1, hasher, BlockSize), out _));
    }

    private static void Draft(Sequence sequence, params int[] tokens)
    {
        foreach (var token in tokens)
        {
            sequence.AppendDraft(token);
        }
    }

    private static Sequence Decoding(Scheduler scheduler, int[] prompt, int next)
    {
        var sequence = new Sequence(prompt);
        scheduler.Add(sequence);
        scheduler.Plan();
        sequence.Append(next);
        return sequence;
    }

    private static Scheduler Scheduler(int numBlocks, int budget = 64, int maxLogits = 64) =>
        new(new BlockPool(numBlocks, BlockSize), BlockHasher.Create(), 4, budget, true, maxLogits);
}
