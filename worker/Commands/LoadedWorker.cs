using System.CommandLine;
using System.Diagnostics;
using Cluster.Worker.Engine;
using Cluster.Worker.Models;
using Cluster.Worker.Models.Ranks;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary>A model with everything around it: backend, weights, tokenizer, template and engine. Built from <see cref="EngineFlags"/> by every command that generates.</summary>
internal sealed class LoadedWorker : IAsyncDisposable
{
    private LoadedWorker(Tokenizer tokenizer, ChatTemplate? chatTemplate, LlmEngine engine, RankGroup? ranks)
    {
        Tokenizer = tokenizer;
        ChatTemplate = chatTemplate;
        Engine = engine;
        Ranks = ranks;
    }

    public Tokenizer Tokenizer { get; }

    public ChatTemplate? ChatTemplate { get; }

    public LlmEngine Engine { get; }

    /// <summary>The other ranks of a tensor-parallel group; null when the model runs in this process alone.</summary>
    public RankGroup? Ranks { get; }

    /// <summary>Loads in the calling thread; takes as long as the checkpoint is large.</summary>
    /// <param name="folder">The checkpoint; see <see cref="ModelFolder"/>.</param>
    /// <param name="log">What to tell: one line a fact, as in vLLM's start log.</param>
    /// <param name="draftFolder">The draft model's checkpoint, where the flags name one.</param>
    /// <exception cref="CommandFailure">The flags do not fit the model or the machine.</exception>
    public static LoadedWorker Load(string folder, EngineFlags flags, ParseResult arguments, IProgress<LoadProgress>? progress, Action<string> log, string? draftFolder = null)
    {
        var clock = Stopwatch.StartNew();
        try
        {
            var tokenizer = Tokenizer.Load(folder);
            var chatTemplate = ChatTemplate.Load(folder);
            var model = EngineModel.Load(folder, draftFolder, tokenizer, flags, arguments, progress, log);
            var options = EngineOptionsOf(flags, arguments, model.Target.Config);
            var engine = new LlmEngine(new BackgroundRunner(model.Runner), tokenizer, options, TimeProvider.System, model.Proposer);
            log($"loaded in {clock.Elapsed.TotalSeconds:F2} s");
            return new LoadedWorker(tokenizer, chatTemplate, engine, model.Ranks);
        }
        catch (ArgumentException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }
    }

    /// <summary>The runner's share of the flags.</summary>
    public static ModelRunnerOptions RunnerOptions(EngineFlags flags, ParseResult arguments) => new()
    {
        BlockSize = arguments.GetValue(flags.BlockSize),
        MaxBatchedTokens = arguments.GetValue(flags.MaxNumBatchedTokens),
        MaxSequences = Math.Min(arguments.GetValue(flags.MaxNumSeqs), arguments.GetValue(flags.MaxNumBatchedTokens)),
        MaxModelLength = arguments.GetValue(flags.MaxModelLen),
        GpuMemoryUtilization = arguments.GetValue(flags.GpuMemoryUtilization),
        KvCacheBytes = arguments.GetValue(flags.KvCacheGiB) is { } gibibytes ? (long)(gibibytes * (1L << 30)) : null,
        Quantization = arguments.GetValue(flags.Quantization)!,
        DType = EngineFlags.DTypeOf(arguments.GetValue(flags.DType)!),
        KvCacheDType = EngineFlags.KvCacheDTypeOf(arguments.GetValue(flags.KvCacheDType)!),
    };

    /// <summary>Stops the engine, which owns model and device.</summary>
    public ValueTask DisposeAsync() => Engine.DisposeAsync();

    /// <summary>The engine's share of the flags.</summary>
    public static EngineOptions EngineOptionsOf(EngineFlags flags, ParseResult arguments, ModelConfig config) => new()
    {
        MaxNumSeqs = arguments.GetValue(flags.MaxNumSeqs),
        MaxNumBatchedTokens = arguments.GetValue(flags.MaxNumBatchedTokens),
        MaxQueue = arguments.GetValue(flags.MaxQueue),
        EnablePrefixCaching = flags.PrefixCaching.IsOn(arguments),
        EnableChunkedPrefill = flags.ChunkedPrefill.IsOn(arguments),
        Seed = arguments.GetValue(flags.Seed),
        EosTokenIds = [.. config.EosTokenIds],
        NumSchedulerSteps = arguments.GetValue(flags.NumSchedulerSteps),
        NumSpeculativeTokens = arguments.GetValue(flags.Speculation.NumTokens) ?? 1,
    };
}
