using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Engine;

/// <summary>The random workloads of <see cref="EngineWorkloadTests"/> on models some or all of whose layers read only so far back.
/// <see cref="FakeModelRunner"/> finds out when a block that is still read was given to somebody else.</summary>
[Trait(Category.Name, Category.Long)]
public class WindowedWorkloadTests
{
    private const int Vocab = EngineWorkloadTests.Vocab;
    private const int Seeds = 60;

    /// <summary>The reach of each layer: a window, or a chunk if below 0.</summary>
    public static TheoryData<int[], bool, int> Models { get; } = new()
    {
        { [6, 6, 6, 6, 6, 0], false, 1 },
        { [0, 1], true, 1 },
        { [13, 0, 13, 0, 13], false, 3 },
        { [-8, -8, -8, 0], true, 3 },
        { [7], true, 1 },
        { [5, 5, 17, 17], false, 1 },
        { [-5, 3], true, 4 },
    };

    [Theory(Timeout = 120_000), MemberData(nameof(Models))]
    public async Task Every_request_gets_what_it_would_get_alone(int[] layers, bool background, int stepsPerPlan)
    {
        var (preemptions, hits, copies) = (0L, 0L, 0);
        var groups = Groups(layers);
        await using var alone = Alone(groups);
        for (var seed = 0; seed < Seeds; seed++)
        {
            var workload = EngineWorkloadTests.Workload.Random(seed);
            workload.Groups = groups;
            workload.Background = background;
            workload.Options = workload.Options with { NumSchedulerSteps = stepsPerPlan };

            var (statistics, runner) = await RunAsync(alone, workload, $"seed {seed}");

            preemptions += statistics.Preemptions;
            hits += statistics.PrefixCacheHits;
            copies += runner.BlocksCopied;
        }

        Assert.True(preemptions > 40, $"{preemptions} preemptions");
        Assert.True(hits > 300, $"{hits} hits");
        Assert.True(copies > 50, $"{copies} blocks copied");
    }

    [Theory(Timeout = 120_000)]
    [InlineData(new[] { 6, 6, 6, 0 }, new[] { 9, 0 })]
    [InlineData(new[] { 4 }, new[] { 3 })]
    [InlineData(new[] { 0 }, new[] { -6, 2 })]
    public async Task A_draft_model_changes_no_output(int[] layers, int[] draftLayers)
    {
        var (accepted, rejected) = (0L, 0L);
        var groups = Groups(layers);
        for (var seed = 0; seed < Seeds; seed++)
        {
            var random = new Random(seed);
            var workload = EngineWorkloadTests.Workload.Random(seed);
            workload.Groups = groups;
            var draft = new FakeModelRunner(
                Vocab, random.Next(1, 9), random.Next(4, 120), random.Next(10, EngineWorkloadTests.Workload.MaxModelLength + 1),
                maxBatchedTokens: random.Next(9, 60), maxSequences: 9, groups: Groups(draftLayers))
            {
                OnLogits = (context, row) => FakeModelRunner.Logits(context.AsSpan(context.Length - 1), row),
            };
            // A draft model that reads less guesses right where the last token decides.
            workload.OnLogits = (context, row) =>
            {
                if (context[^1] % 3 > 0)
                {
                    FakeModelRunner.Logits(context.AsSpan(context.Length - 1), row);
                }
            };
            var proposer = new DraftModelProposer(draft, Vocab);
            workload.Proposer = proposer;
            workload.MaxLogits = random.Next(10, 60);
            workload.Options = workload.Options with { NumSpeculativeTokens = random.Next(1, 7) };
            await using var alone = Alone(groups, workload.OnLogits);

            var (statistics, _) = await RunAsync(alone, workload, $"seed {seed}");

            Assert.Equal(0, proposer.NumUsedBlocks);
            accepted += statistics.Speculation!.NumAcceptedTokens;
            rejected += statistics.Speculation.NumDraftTokens - statistics.Speculation.NumAcceptedTokens;
        }

        Assert.True(accepted > 500, $"{accepted} accepted");
        Assert.True(rejected > 500, $"{rejected} rejected");
    }

    internal static KvGroups Groups(IEnumerable<int> layers) =>
        new([.. layers.Select(reach => reach < 0 ? new KvReach(Chunk: -reach) : new KvReach(reach))]);

    /// <summary>Where some layers read everything, without any groups: they must make no difference.</summary>
    private static LlmEngine Alone(KvGroups groups, Action<int[], float[]>? onLogits = null) => new(
        new FakeModelRunner(
            Vocab, 16, 64, EngineWorkloadTests.Workload.MaxModelLength, groups: groups.Reaches[0].IsFull ? null : groups)
        { OnLogits = onLogits },
        new ByteTokenizer(),
        new EngineOptions { MaxNumSeqs = 1, EnablePrefixCaching = false, EosTokenIds = [EngineWorkloadTests.Eos] },
        TimeProvider.System);

    private static async Task<(EngineStatistics Statistics, FakeModelRunner Runner)> RunAsync(
        LlmEngine alone, EngineWorkloadTests.Workload workload, string where)
    {
        var expected = await Task.WhenAll(workload.Requests.Select(request => EngineWorkloadTests.AloneAsync(alone, request)));
        var (actual, statistics, runner) = await workload.RunAsync();
        for (var i = 0; i < expected.Length; i++)
        {
            EngineWorkloadTests.AssertSame(expected[i], actual[i], workload.Requests[i], $"{where}, request {i}");
        }

        Assert.Equal((0, 0, 0.0), (statistics.Running, statistics.Waiting, statistics.KvCacheUsage));
        return (statistics, runner);
    }
}
