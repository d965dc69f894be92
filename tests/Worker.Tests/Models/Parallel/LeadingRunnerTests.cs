using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Engine;

namespace Cluster.Worker.Tests.Models.Parallel;

public class LeadingRunnerTests
{
    private const int Vocab = 48;

    [Theory(Timeout = 120_000)]
    [InlineData(2, 0)]
    [InlineData(3, 0)]
    [InlineData(2, 13, 0, 13)]
    [InlineData(3, -16)]
    public async Task Every_rank_computes_every_step_of_an_engine(int size, params int[] layers)
    {
        var groups = WindowedWorkloadTests.Groups(layers);
        var ranks = new FollowingRanks(
            size, () => new FakeModelRunner(Vocab, 4, 96, 128, maxBatchedTokens: 24, maxSequences: 9, groups: groups));
        var engine = new LlmEngine(
            new BackgroundRunner(ranks.Leader), new ByteTokenizer(),
            new EngineOptions { MaxNumSeqs = 8, MaxNumBatchedTokens = 24, Seed = 1 }, TimeProvider.System);
        var random = new Random(size);
        await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Generation.CollectAllAsync(engine.GenerateAsync(
            new GenerationRequest(
                $"request {i}",
                [.. Enumerable.Range(0, random.Next(1, 90)).Select(_ => random.Next(Vocab))],
                new SamplingParameters { MaxTokens = 12, Temperature = 1, N = 1 + (i % 3), IgnoreEos = true }),
            CancellationToken.None))));
        await engine.DisposeAsync();
        await ranks.Ended;

        Assert.True(ranks.Models[0].Steps > 20, $"{ranks.Models[0].Steps} steps");
        Assert.True(ranks.Models[0].BlocksCopied > 0);
        for (var rank = 1; rank < size; rank++)
        {
            Assert.Equal(ranks.Rows[0], ranks.Rows[rank]);
            Assert.Equal(ranks.Models[0].BlocksCopied, ranks.Models[rank].BlocksCopied);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task Telling_a_step_allocates_nothing()
    {
        var ranks = new FollowingRanks(2, () => new FakeModelRunner(Vocab, 4, 96, 128));
        var message = new Cluster.Worker.Models.Parallel.StepMessage(ranks.Models[0]);
        ranks.Leader.Dispose();
        await ranks.Ended;

        var alone = ThreadCommunicator.CreateGroup(1, TimeSpan.FromSeconds(60))[0];
        message.Send(FakeModelRunner.OneToken, alone);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            message.Send(FakeModelRunner.OneToken, alone);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact(Timeout = 120_000)]
    public async Task Ranks_meet_while_there_are_no_steps()
    {
        var time = new ManualTime();
        var ranks = new FollowingRanks(2, () => new FakeModelRunner(Vocab, 4, 8, 16), TimeSpan.FromSeconds(5), time);

        // The barrier of a pulse ends when the follower has joined it.
        time.Advance(TimeSpan.FromSeconds(5));
        ranks.Leader.Launch(FakeModelRunner.OneToken);
        Assert.Null(ranks.Loss);
        ranks.Leader.Dispose();
        await ranks.Ended;
        Assert.Equal(1, ranks.Models[1].Steps);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_lost_rank_is_noticed_by_the_next_pulse_and_named_by_the_next_step()
    {
        var time = new ManualTime();
        var ranks = new FollowingRanks(2, () => new FakeModelRunner(Vocab, 4, 8, 16), TimeSpan.FromSeconds(5), time);
        ranks.Lose(1);
        ranks.Leader.Launch(FakeModelRunner.OneToken);
        Assert.Null(ranks.Loss);

        time.Advance(TimeSpan.FromSeconds(5));

        Assert.NotNull(ranks.Loss);
        var error = Assert.Throws<RankLostException>(() => ranks.Leader.Launch(FakeModelRunner.OneToken));
        Assert.Equal("rank 1 was ended by the test", error.Message);
        ranks.Leader.Dispose();
        await Assert.ThrowsAsync<InvalidOperationException>(() => ranks.Ended);
    }

    [Fact(Timeout = 120_000)]
    public async Task Running_requests_end_with_the_reason_when_a_rank_is_lost()
    {
        var ranks = new FollowingRanks(2, () => new FakeModelRunner(Vocab, 4, 96, 128));
        await using var engine = new LlmEngine(
            new BackgroundRunner(ranks.Leader), new ByteTokenizer(), new EngineOptions(), TimeProvider.System);
        var request = new GenerationRequest("request", [1, 2, 3], new SamplingParameters { MaxTokens = 100, IgnoreEos = true });
        var error = await Assert.ThrowsAsync<EngineUnavailableException>(async () =>
        {
            await foreach (var _ in engine.GenerateAsync(request, CancellationToken.None))
            {
                ranks.Lose(1);
            }
        });

        Assert.Contains("rank 1 was ended by the test", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<RankLostException>(() => engine.Completion);
        await Assert.ThrowsAsync<InvalidOperationException>(() => ranks.Ended);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_failure_of_rank_0_alone_is_told_as_it_is_and_ends_the_others_in_the_middle_of_their_step()
    {
        var ranks = new FollowingRanks(3, () => new FakeModelRunner(Vocab, 4, 8, 16));
        ranks.FailLeader(new InvalidDataException("the device is gone"));

        Assert.Equal(
            "the device is gone", Assert.Throws<InvalidDataException>(() => ranks.Leader.Launch(FakeModelRunner.OneToken)).Message);
        ranks.Leader.Dispose();

        Assert.True(ranks.IsDisposed);
        Assert.StartsWith(
            "rank 0 has left the group", (await Assert.ThrowsAsync<RankLostException>(() => ranks.Ended)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_beyond_the_limits_is_refused_before_it_is_told()
    {
        var limits = new FakeModelRunner(Vocab, 4, 8, 16, maxBatchedTokens: 8, maxSequences: 2);
        var message = new Cluster.Worker.Models.Parallel.StepMessage(limits);
        var large = new StepBatch { NumTokens = 5000, TokenIds = new int[5000], Positions = new int[5000], SlotMapping = new int[5000] };
        var communicator = ThreadCommunicator.CreateGroup(2, TimeSpan.FromMilliseconds(1))[0];

        // Not RankLostException: that would mean that something was sent and nobody took it.
        Assert.Throws<ArgumentException>(() => message.Send(large, communicator));
    }
}
