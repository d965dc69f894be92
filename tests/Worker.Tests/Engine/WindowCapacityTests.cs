using Cluster.Worker.Engine;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Engine;

/// <summary>What windows are worth: sequences that run at once in the same bytes, all of them decoding.</summary>
public sealed class WindowCapacityTests(ITestOutputHelper output)
{
    /// <summary>12 layers of which 10 have a window of 1024, as in Gemma 3.</summary>
    private static readonly ModelConfig Windowed = ModelConfig.Load(Fixtures.Haiku) with
    {
        NumLayers = 12,
        MaxPositionEmbeddings = 131072,
        Rope = null,
        SlidingWindows = [.. Enumerable.Range(0, 12).Select(layer => layer % 6 == 5 ? 0 : 1024)],
    };

    [Theory]
    [InlineData(8192, 3.0)]
    [InlineData(32768, 4.5)]
    public void Five_windowed_layers_of_six_let_several_times_as_many_long_sequences_run(int promptLength, double gain)
    {
        var bytes = 20L * 12 * 2 * 2 * 32 * sizeof(float) * promptLength;

        var before = CountRunning(Windowed with { SlidingWindows = [] }, promptLength, bytes);
        var after = CountRunning(Windowed, promptLength, bytes);

        output.WriteLine(
            $"{promptLength} tokens: {before} sequences without, {after} with groups, {(double)after / before:F2} times as many");
        Assert.True(after >= gain * before, $"{after} sequences instead of {before}");
    }

    private static int CountRunning(ModelConfig config, int promptLength, long bytes)
    {
        var options = new ModelRunnerOptions { MaxSequences = 128 };
        var plan = CapacityPlan.Fit(config, options, bytes);
        Assert.InRange(plan.CacheBytes, bytes - plan.Cache.BytesPerBlock, bytes);
        var pool = new BlockPool(plan.Cache.NumBlocks, plan.Cache.BlockSize);
        var scheduler = new Scheduler(pool, null, options.MaxSequences, options.MaxBatchedTokens, true, groups: plan.Groups);
        var prompt = new int[promptLength];
        for (var i = 0; i < options.MaxSequences; i++)
        {
            scheduler.Add(new Sequence(prompt));
        }

        // Until those that run have their prompts behind them, and nobody else enters.
        do
        {
            scheduler.Plan();
            foreach (var entry in scheduler.Scheduled)
            {
                if (entry.LogitIndex >= 0)
                {
                    entry.Sequence.Append(1);
                }
            }
        }
        while (scheduler.Scheduled.ToArray().Any(entry => entry.NumTokens > 1));

        Assert.True(scheduler.NumWaiting > 0, "memory was not short");
        return scheduler.NumRunning;
    }
}
