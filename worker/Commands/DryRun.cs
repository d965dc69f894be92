using Cluster.Worker.Benchmarking;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Profiling;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Sources;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary>What one batch would launch and move on an MI300X, counted on a device that is not there: no weight is read, nothing is
/// computed. Part of <see cref="BenchLatencyCommand"/>.</summary>
internal static class DryRun
{
    private const long Mi300XBytes = 192L << 30;
    private const int Mi300XComputeUnits = 304;
    private const int Waves = 4;

    /// <param name="batchSize">Sequences.</param>
    /// <param name="inputLength">Tokens of each prompt; the step of decoding comes right after.</param>
    /// <exception cref="CommandFailure">The model or the batch does not fit, or spreads over ranks.</exception>
    public static ProfileReport Run(StartupOptions startup, string source, int batchSize, int inputLength)
    {
        if (startup.Ranks.Size > 1)
        {
            throw new CommandFailure($"--dry-run counts for one device; leave --tensor-parallel-size {startup.Ranks.Size} out");
        }

        var profile = new OperationProfile();
        var launcher = new CountingLauncher(
            new DryLauncher("AMD Instinct MI300X", "gfx942", Mi300XBytes, Waves, Mi300XComputeUnits));
        var backend = new ProfilingBackend(new IlgpuBackend(launcher, new IlgpuOptions()), profile, () => launcher.Launches, wait: null);
        try
        {
            var (config, weights) = SyntheticModel.IsSource(source)
                ? (SyntheticModel.Find(source).Config, SyntheticModel.Find(source).EmptyWeights())
                : ModelLoader.Open(source);
            var length = inputLength + 1;
            using var model = ModelLoader.Load(
                config, weights, backend,
                startup.Runner with
                {
                    MaxSequences = batchSize,
                    MaxBatchedTokens = Math.Max(startup.Runner.MaxBatchedTokens, Math.Max(batchSize, inputLength)),
                    MaxModelLength = length,
                    KvCacheDType = startup.Device.CacheDType(config.DType),
                    SampleOnDevice = false,
                });
            Count(new MeteredRunner(model.Runner, cost: null, TimeProvider.System, profile), batchSize, inputLength);
            return new ProfileReport(profile, PeakRates.Mi300X, isComputed: true);
        }
        catch (Exception exception) when (exception is ArgumentException or InsufficientMemoryException)
        {
            throw new CommandFailure(exception.Message, exception);
        }
    }

    /// <summary>One step of prompts, as many as it takes whole, and one of decoding for the batch.</summary>
    private static void Count(IModelRunner runner, int batchSize, int inputLength)
    {
        Launch(runner, Math.Clamp(runner.MaxBatchedTokens / inputLength, 1, batchSize), inputLength, inputLength);
        Launch(runner, batchSize, query: 1, inputLength + 1);
    }

    /// <summary>Blocks and tokens are all 0: nobody looks at them.</summary>
    private static void Launch(IModelRunner runner, int sequences, int query, int context)
    {
        var (rows, groups) = (sequences * query, runner.KvGroups.Count);
        var blocks = (context + runner.BlockSize - 1) / runner.BlockSize;
        runner.Launch(new StepBatch
        {
            NumTokens = rows,
            NumSequences = sequences,
            NumLogits = sequences,
            NumGroups = groups,
            MaxBlocks = blocks,
            MaxQueryLength = query,
            MaxContextLength = context,
            TokenIds = new int[rows],
            Positions = [.. Enumerable.Range(0, rows).Select(row => context - query + row % query)],
            SlotMapping = new int[groups * rows],
            QueryStarts = [.. Enumerable.Range(0, sequences + 1).Select(sequence => sequence * query)],
            ContextLengths = [.. Enumerable.Repeat(context, sequences)],
            BlockTables = new int[groups * sequences * blocks],
            LogitRows = [.. Enumerable.Range(1, sequences).Select(sequence => sequence * query - 1)],
        });
        runner.WaitForLogits();
    }
}
