using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Plans made before the last step's tokens are known, and plans for several steps.</summary>
public class PlanAheadTests
{
    private const int BlockSize = 4;
    private readonly BlockPool _pool = new(numBlocks: 12, BlockSize);

    [Fact]
    public void A_plan_made_ahead_is_the_plan_that_would_have_been_made_after()
    {
        var (ahead, after) = (Scheduler(new BlockPool(64, BlockSize)), Scheduler(new BlockPool(64, BlockSize)));
        foreach (var scheduler in (Scheduler[])[ahead, after])
        {
            scheduler.Add(Prompt(3));
            scheduler.Add(Prompt(30, 100));
        }

        ahead.Plan();
        after.Plan();
        for (var step = 0; step < 40; step++)
        {
            Assert.True(ahead.TryPlanAhead());
            Sample(ahead, step);
            Sample(after, step);
            AssertSame(after.Plan(), ahead.Plan());
        }
    }

    [Fact]
    public void What_ends_meanwhile_leaves_the_plan_and_who_waits_gets_its_place()
    {
        var scheduler = Scheduler(_pool);
        var (stays, ends, waits) = (Prompt(3), Prompt(2, 50), Prompt(3, 80));
        scheduler.Add(stays);
        scheduler.Add(ends);
        scheduler.Plan();
        scheduler.Add(waits);
        Assert.True(scheduler.TryPlanAhead());
        stays.Append(1);
        ends.Append(2);
        scheduler.Finish(ends);

        var batch = scheduler.Plan();

        Assert.Equal([stays, waits], scheduler.Scheduled.ToArray().Select(entry => entry.Sequence));
        Assert.Equal([1, 80, 81, 82], batch.TokenIds[..batch.NumTokens]);
        Assert.Equal(2, _pool.NumUsed);
    }

    [Fact]
    public void Nothing_is_planned_ahead_where_blocks_are_short_or_sequences_may_fork()
    {
        var scheduler = Scheduler(new BlockPool(2, BlockSize));
        var sequence = Prompt(8);
        scheduler.Add(sequence);
        scheduler.Plan();
        Assert.False(scheduler.TryPlanAhead());
        Assert.Equal(8, sequence.NumComputedTokens);

        var forking = Prompt(3);
        forking.MayFork = true;
        scheduler = Scheduler(_pool);
        scheduler.Add(forking);
        scheduler.Plan();
        Assert.False(scheduler.TryPlanAhead());
        forking.MayFork = false;
        Assert.True(scheduler.TryPlanAhead());
    }

    [Fact]
    public void Blocks_filled_by_a_plan_made_ahead_are_offered_with_the_tokens_they_got()
    {
        var scheduler = Scheduler(_pool);
        var sequence = Prompt(3);
        scheduler.Add(sequence);
        scheduler.Plan();
        Assert.True(scheduler.TryPlanAhead());
        sequence.Append(77);
        scheduler.Plan();

        var alike = new Sequence([0, 1, 2, 77, 5]);
        scheduler.Add(alike);
        sequence.Append(78);
        scheduler.Plan();

        Assert.Equal(4, alike.NumCachedTokens);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_plan_for_several_steps_admits_nobody_until_they_are_done(bool isAhead)
    {
        var scheduler = Scheduler(_pool, stepsPerPlan: 3);
        var (running, waits) = (Prompt(4), Prompt(2, 50));
        scheduler.Add(running);
        scheduler.Plan();
        running.Append(0);

        List<int> rows = [];
        for (var step = 1; step <= 4; step++)
        {
            rows.Add(scheduler.Plan().NumTokens);
            if (step == 1)
            {
                scheduler.Add(waits);
            }

            Assert.True(!isAhead || scheduler.TryPlanAhead());
            running.Append(step);
            Assert.Equal(step < 4 ? SequenceState.Waiting : SequenceState.Running, waits.State);
        }

        Assert.Equal([1, 1, 1, 3], rows);
    }

    [Fact]
    public void A_plan_for_several_steps_ends_with_its_last_sequence()
    {
        var scheduler = Scheduler(_pool, stepsPerPlan: 10);
        var (ends, waits) = (Prompt(4), Prompt(2, 50));
        scheduler.Add(ends);
        scheduler.Plan();
        ends.Append(0);
        scheduler.Plan();
        scheduler.Add(waits);
        scheduler.Finish(ends);

        Assert.Equal(2, scheduler.Plan().NumTokens);
        Assert.Equal(1, _pool.NumUsed);
    }

    [Fact]
    public void Blocks_for_the_steps_of_a_plan_are_set_aside_at_its_start_or_it_is_for_one_step()
    {
        var scheduler = Scheduler(_pool, stepsPerPlan: 8);
        var sequence = Prompt(4);
        scheduler.Add(sequence);
        scheduler.Plan();
        sequence.Append(0);
        scheduler.Plan();
        Assert.Equal(3, _pool.NumUsed);

        var small = new BlockPool(2, BlockSize);
        scheduler = Scheduler(small, stepsPerPlan: 8);
        var tight = Prompt(4);
        scheduler.Add(tight);
        scheduler.Plan();
        tight.Append(0);
        Assert.Equal(1, scheduler.Plan().NumTokens);
        Assert.Equal(2, small.NumUsed);
    }

    private static Scheduler Scheduler(BlockPool pool, int stepsPerPlan = 1) =>
        new(pool, new BlockHasher(1, 2), maxNumSeqs: 2, maxNumBatchedTokens: 8, enableChunkedPrefill: true, stepsPerPlan: stepsPerPlan);

    private static Sequence Prompt(int length, int start = 0) => new([.. Enumerable.Range(start, length)]);

    /// <summary>A token for each sequence that gets one from the step planned last.</summary>
    private static void Sample(Scheduler scheduler, int step)
    {
        foreach (var entry in scheduler.Scheduled)
        {
            if (entry.LogitIndex >= 0)
            {
                entry.Sequence.Append(1000 + step);
            }
        }
    }

    private static void AssertSame(StepBatch expected, StepBatch actual)
    {
        Assert.Equal(expected.TokenIds[..expected.NumTokens], actual.TokenIds[..actual.NumTokens]);
        Assert.Equal(expected.Positions[..expected.NumTokens], actual.Positions[..actual.NumTokens]);
        Assert.Equal(expected.SlotMapping[..expected.NumTokens], actual.SlotMapping[..actual.NumTokens]);
        Assert.Equal(expected.QueryStarts[..(expected.NumSequences + 1)], actual.QueryStarts[..(actual.NumSequences + 1)]);
        Assert.Equal(expected.LogitRows[..expected.NumLogits], actual.LogitRows[..actual.NumLogits]);
    }
}
