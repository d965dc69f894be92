using Cluster.Worker.Engine;
using static Cluster.Worker.Tests.Engine.TestEngines;

namespace Cluster.Worker.Tests.Engine;

public class PriorityTests
{
    [Fact]
    public void The_most_urgent_are_admitted_first_and_equal_ones_as_they_came()
    {
        var scheduler = New(numBlocks: 100, maxNumSeqs: 2);
        Sequence[] sequences = [Of(1, priority: 5), Of(2, priority: 1), Of(3, priority: 1), Of(4, priority: -2)];
        Array.ForEach(sequences, scheduler.Add);

        scheduler.Plan();
        Assert.Equal([sequences[3], sequences[1]], scheduler.Running);
        scheduler.Finish(sequences[3]);
        sequences[1].Append(9);
        scheduler.Plan();

        Assert.Equal([sequences[1], sequences[2]], scheduler.Running);
    }

    [Fact]
    public void When_blocks_run_out_the_least_urgent_is_preempted_though_it_is_the_oldest()
    {
        // Two blocks of four for each; the last of five is short.
        var scheduler = New(numBlocks: 4, maxNumSeqs: 4);
        var old = Of(1, priority: 3);
        var urgent = Of(50, priority: 0);
        scheduler.Add(old);
        scheduler.Plan();
        scheduler.Add(urgent);
        old.Append(1);
        scheduler.Plan();
        Assert.Equal([urgent, old], scheduler.Running);
        for (var i = 0; i < 8 && scheduler.NumPreemptions == 0; i++)
        {
            foreach (var sequence in scheduler.Running.ToArray())
            {
                sequence.Append(i);
            }

            scheduler.Plan();
        }

        Assert.Equal([urgent], scheduler.Running);
        Assert.Equal((1, SequenceState.Waiting), (scheduler.NumPreemptions, old.State));
    }

    [Fact]
    public void A_preempted_sequence_comes_before_later_ones_that_are_as_urgent_and_behind_more_urgent_ones()
    {
        var scheduler = New(numBlocks: 2, maxNumSeqs: 1);
        var first = Of(1, priority: 1);
        scheduler.Add(first);
        scheduler.Plan();
        var (later, urgent) = (Of(20, priority: 1), Of(40, priority: 0));
        scheduler.Add(later);
        scheduler.Add(urgent);
        scheduler.Finish(first);
        scheduler.Plan();

        Assert.Equal([urgent], scheduler.Running);
    }

    [Fact(Timeout = 30_000)]
    public async Task Texts_are_those_of_requests_taken_as_they_come()
    {
        var options = new EngineOptions { SchedulingPolicy = SchedulingPolicy.Priority, MaxNumSeqs = 3 };
        await using var plain = NewEngine(Runner(numBlocks: 24), new EngineOptions { MaxNumSeqs = 3 });
        await using var urgent = NewEngine(Runner(numBlocks: 24), options);
        var requests = Enumerable.Range(0, 12)
            .Select(i => Request(Greedy with { MaxTokens = 20 }, [.. Prompt, i]) with { Priority = i % 5 * 7 % 3 }).ToArray();

        var expected = await Task.WhenAll(
            requests.Select(one => Generation.CollectAsync(plain.GenerateAsync(one with { Priority = 0 }, CancellationToken.None))));
        var actual = await Task.WhenAll(
            requests.Select(one => Generation.CollectAsync(urgent.GenerateAsync(one, CancellationToken.None))));

        Assert.Equal(expected.Select(one => one.Text), actual.Select(one => one.Text));
    }

    [Fact(Timeout = 30_000)]
    public async Task Without_the_policy_a_priority_is_refused_with_the_flag_it_needs()
    {
        await using var engine = NewEngine(Runner());

        var refused = Assert.Throws<InvalidRequestException>(
            () => engine.GenerateAsync(Request(Greedy) with { Priority = 1 }, CancellationToken.None));

        Assert.Equal("priority", refused.Parameter);
        Assert.Contains("--scheduling-policy priority", refused.Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = 30_000)]
    public async Task Prefixes_are_found_under_the_same_salt_only()
    {
        await using var engine = NewEngine(Runner());
        int[] prompt = [.. Enumerable.Range(0, 20)];
        string?[] salts = [null, "a", "a", "b", null, "b"];
        var cached = new List<int>();
        foreach (var salt in salts)
        {
            var generation = await Generation.CollectAsync(
                engine.GenerateAsync(Request(Greedy, prompt) with { CacheSalt = salt }, CancellationToken.None));
            cached.Add(generation.Last.CachedTokens);
        }

        Assert.Equal([0, 0, 16, 0, 16, 16], cached);
    }

    [Fact]
    public void A_salt_that_spells_a_block_is_no_parent_of_its_own_making()
    {
        var hasher = new BlockHasher(1, 2);
        int[] tokens = [0x61616161, 0x62626262];

        Assert.NotEqual(hasher.Hash(default, tokens), hasher.HashSalt(new string('\0', 16) + "aaaabbbb"));
        Assert.NotEqual(hasher.HashSalt("a"), hasher.HashSalt("b"));
        Assert.NotEqual(default, hasher.HashSalt(""));
    }

    private static Scheduler New(int numBlocks, int maxNumSeqs) =>
        new(new BlockPool(numBlocks, 4), null, maxNumSeqs, 100, true, policy: SchedulingPolicy.Priority);

    private static Sequence Of(int token, int priority) => new([token, token + 1, token + 2, token + 3], priority);
}
