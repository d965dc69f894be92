using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;

namespace Cluster.Worker.Tests.Engine.Speculation;

/// <summary>Random workloads with little memory, small budgets, chunks, preemption and aborts: with speculation, every request gets what it
/// gets alone without it.</summary>
[Trait(Category.Name, Category.Slow)]
public class SpeculationWorkloadTests
{
    private const int Vocab = EngineWorkloadTests.Vocab;

    [Fact(Timeout = 120_000)]
    public async Task A_draft_model_changes_no_output()
    {
        var totals = await RunAsync(onLogits: null, (random, workload) =>
        {
            // Right three times of four; sometimes too short or too small for the sequences it drafts for.
            var draft = new FakeModelRunner(
                Vocab, random.Next(1, 9), random.Next(2, 80), random.Next(10, EngineWorkloadTests.Workload.MaxModelLength + 1),
                maxBatchedTokens: random.Next(9, 60), maxSequences: 9)
            {
                OnLogits = static (context, row) =>
                {
                    if (context.Sum() % 4 == 0)
                    {
                        Array.Reverse(row);
                    }
                },
            };
            return new DraftModelProposer(draft, Vocab);
        });

        Assert.True(totals.Accepted > 2000, $"{totals.Accepted} accepted");
        Assert.True(totals.Drafted - totals.Accepted > 2000, $"{totals.Drafted - totals.Accepted} rejected");
        Assert.True(totals.Preemptions > 100, $"{totals.Preemptions} preemptions");
    }

    [Fact(Timeout = 120_000)]
    public async Task Look_up_changes_no_output()
    {
        // A text whose next token hangs on the last alone repeats itself, as look-up hopes.
        var totals = await RunAsync(
            static (context, row) => FakeModelRunner.Logits(context.AsSpan(Math.Max(0, context.Length - 1)), row),
            (random, workload) => new NgramProposer(1, random.Next(1, 4)));

        Assert.True(totals.Accepted > 500, $"{totals.Accepted} accepted");
        Assert.True(totals.Drafted - totals.Accepted > 500, $"{totals.Drafted - totals.Accepted} rejected");
        Assert.True(totals.Preemptions > 100, $"{totals.Preemptions} preemptions");
    }

    private static async Task<(long Drafted, long Accepted, long Preemptions)> RunAsync(
        Action<int[], float[]>? onLogits, Func<Random, EngineWorkloadTests.Workload, IDraftProposer> propose)
    {
        var (drafted, accepted, preemptions) = (0L, 0L, 0L);
        await using var alone = new LlmEngine(
            new FakeModelRunner(Vocab, 16, 64, EngineWorkloadTests.Workload.MaxModelLength) { OnLogits = onLogits },
            new ByteTokenizer(),
            new EngineOptions { MaxNumSeqs = 1, EnablePrefixCaching = false, EosTokenIds = [EngineWorkloadTests.Eos] },
            TimeProvider.System);
        for (var seed = 0; seed < 100; seed++)
        {
            var random = new Random(seed);
            var workload = EngineWorkloadTests.Workload.Random(seed);
            workload.Requests = [
                .. workload.Requests.Select((request, index) => request with { Sampling = Vary(request.Sampling, index) })];
            workload.OnLogits = onLogits;
            workload.Proposer = propose(random, workload);
            workload.MaxLogits = random.Next(10, 60);
            workload.Options = workload.Options with { NumSpeculativeTokens = random.Next(1, 7) };
            var expected = await Task.WhenAll(workload.Requests.Select(request => EngineWorkloadTests.AloneAsync(alone, request)));

            var (actual, statistics, runner) = await workload.RunAsync();

            for (var i = 0; i < expected.Length; i++)
            {
                EngineWorkloadTests.AssertSame(expected[i], actual[i], workload.Requests[i], $"seed {seed}, request {i}");
            }

            Assert.Equal((0, 0, 0.0), (statistics.Running, statistics.Waiting, statistics.KvCacheUsage));
            Assert.True(runner.LargestStep <= workload.Options.MaxNumBatchedTokens, $"a step of {runner.LargestStep} tokens");
            if (workload.Proposer is DraftModelProposer model)
            {
                Assert.Equal(0, model.NumUsedBlocks);
            }

            drafted += statistics.Speculation!.NumDraftTokens;
            accepted += statistics.Speculation.NumAcceptedTokens;
            preemptions += statistics.Preemptions;
        }

        return (drafted, accepted, preemptions);
    }

    /// <summary>What hangs on the tokens accepted so far is where speculation could go wrong.</summary>
    private static SamplingParameters Vary(SamplingParameters sampling, int index) => sampling with
    {
        MinTokens = index % 3 == 0 ? Math.Min(6, sampling.MaxTokens ?? 6) : 0,
        FrequencyPenalty = index % 4 == 1 ? 0.7f : 0,
        LogitBias = index % 5 == 2 ? new Dictionary<int, float> { [3] = 2, [4] = -100 } : null,
    };
}
