using System.CommandLine;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary>Reads <see cref="EngineFlags"/> into what <see cref="Startup"/> takes, so that nothing below the commands knows of a command
/// line.</summary>
internal static class StartupArguments
{
    /// <exception cref="FormatException">The environment does not name as many devices as there are ranks.</exception>
    public static StartupOptions Read(EngineFlags flags, ParseResult arguments) => new(
        flags.ModelOf(arguments),
        new DeviceOptions(arguments.GetValue(flags.Device)!)
        {
            CpuThreads = arguments.GetValue(flags.CpuThreads),
            DType = EngineFlags.DTypeOf(arguments.GetValue(flags.DType)!),
            KvCacheDType = EngineFlags.KvCacheDTypeOf(arguments.GetValue(flags.KvCacheDType)!),
            Tuning = TunableOp.OfEnvironment(Environment.GetEnvironmentVariable),
            EnforceEager = arguments.GetValue(flags.EnforceEager),
            MaxSeqLenToCapture = arguments.GetValue(flags.MaxSeqLenToCapture),
        },
        RankOptions.OfEnvironment(
            arguments.GetValue(flags.TensorParallelSize), TimeSpan.FromSeconds(arguments.GetValue(flags.DistributedTimeout))),
        Runner(flags, arguments),
        Engine(flags, arguments))
    {
        Revision = arguments.GetValue(flags.Revision),
        DownloadFolder = arguments.GetValue(flags.DownloadDir),
        GenerationConfig = arguments.GetValue(flags.GenerationConfig)!,
        GenerationOverrides = arguments.GetValue(flags.OverrideGenerationConfig),
        Draft = Draft(flags.Speculation, arguments),
        StepHoldsLongest = HoldsLongest(flags, arguments),
    };

    /// <summary>Without chunked prefill a step must take a whole prompt. As in vLLM, a budget that nobody chose gives way.</summary>
    private static bool HoldsLongest(EngineFlags flags, ParseResult arguments) =>
        !flags.ChunkedPrefill.IsOn(arguments) && arguments.GetResult(flags.MaxNumBatchedTokens) is not { Implicit: false };

    private static ModelRunnerOptions Runner(EngineFlags flags, ParseResult arguments) => new()
    {
        BlockSize = arguments.GetValue(flags.BlockSize),
        MaxBatchedTokens = arguments.GetValue(flags.MaxNumBatchedTokens),
        MaxSequences = Math.Min(arguments.GetValue(flags.MaxNumSeqs), arguments.GetValue(flags.MaxNumBatchedTokens)),
        MaxModelLength = arguments.GetValue(flags.MaxModelLen),
        GpuMemoryUtilization = arguments.GetValue(flags.GpuMemoryUtilization),
        NumBlocks = arguments.GetValue(flags.NumGpuBlocksOverride),
        KvCacheBytes = arguments.GetValue(flags.KvCacheGiB) is { } gibibytes ? (long)(gibibytes * (1L << 30)) : null,
        Quantization = arguments.GetValue(flags.Quantization)!,
        MaxLengthToCapture = arguments.GetValue(flags.EnforceEager) ? 0
            : arguments.GetValue(flags.MaxSeqLenToCapture) ?? BackendFactory.DefaultLengthToCapture,
    };

    private static EngineOptions Engine(EngineFlags flags, ParseResult arguments)
    {
        var sequences = arguments.GetValue(flags.MaxNumSeqs);
        var requests = arguments.GetValue(flags.MaxConcurrentRequests);
        return new EngineOptions
        {
            MaxNumSeqs = Math.Min(sequences, requests ?? sequences),

            // Where the budget follows the model's length, the runner's limit is the one that counts.
            MaxNumBatchedTokens = HoldsLongest(flags, arguments) ? int.MaxValue : arguments.GetValue(flags.MaxNumBatchedTokens),
            MaxQueue = requests is { } all ? Math.Max(0, all - sequences) : arguments.GetValue(flags.MaxQueue),
            MaxPromptTokens = arguments.GetValue(flags.MaxInputTokens),
            MaxLogprobs = arguments.GetValue(flags.MaxLogprobs),
            EnablePrefixCaching = flags.PrefixCaching.IsOn(arguments),
            EnableChunkedPrefill = flags.ChunkedPrefill.IsOn(arguments),
            Seed = arguments.GetValue(flags.Seed),
            SchedulingPolicy = arguments.GetValue(flags.SchedulingPolicy) == "priority" ? SchedulingPolicy.Priority : SchedulingPolicy.Fcfs,
            NumSchedulerSteps = arguments.GetValue(flags.NumSchedulerSteps),
            NumSpeculativeTokens = arguments.GetValue(flags.Speculation.NumTokens) ?? 1,
        };
    }

    private static DraftOptions? Draft(SpeculationFlags flags, ParseResult arguments) => arguments.GetValue(flags.Model) is { } model
        ? new DraftOptions(
            model, arguments.GetValue(flags.NumTokens) ?? 1, arguments.GetValue(flags.NgramMax), arguments.GetValue(flags.NgramMin))
        : null;
}
