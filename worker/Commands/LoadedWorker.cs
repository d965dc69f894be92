using System.CommandLine;
using System.Diagnostics;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary>A model with everything around it: backend, weights, tokenizer, template and engine. Built from <see cref="EngineFlags"/> by every command that generates.</summary>
internal sealed class LoadedWorker : IAsyncDisposable
{
    private LoadedWorker(Tokenizer tokenizer, ChatTemplate? chatTemplate, LlmEngine engine)
    {
        Tokenizer = tokenizer;
        ChatTemplate = chatTemplate;
        Engine = engine;
    }

    public Tokenizer Tokenizer { get; }

    public ChatTemplate? ChatTemplate { get; }

    public LlmEngine Engine { get; }

    /// <summary>Loads in the calling thread; takes as long as the checkpoint is large.</summary>
    /// <param name="folder">The checkpoint; see <see cref="ModelFolder"/>.</param>
    /// <param name="log">What to tell: one line a fact, as in vLLM's start log.</param>
    /// <param name="draftFolder">The draft model's checkpoint, where the flags name one.</param>
    /// <exception cref="CommandFailure">The flags do not fit the model or the machine.</exception>
    public static LoadedWorker Load(string folder, EngineFlags flags, ParseResult arguments, IProgress<LoadProgress>? progress, Action<string> log, string? draftFolder = null)
    {
        var clock = Stopwatch.StartNew();
        LoadedModel? model = null;
        try
        {
            var tokenizer = Tokenizer.Load(folder);
            var chatTemplate = ChatTemplate.Load(folder);
            var backend = OpenBackend(flags, arguments);
            var options = RunnerOptions(flags, arguments);
            var draftShare = DraftLoader.MemoryShare(folder, draftFolder);
            var rows = 1 + (arguments.GetValue(flags.Speculation.NumTokens) ?? 0);
            model = ModelLoader.Load(
                folder,
                backend,
                options with
                {
                    GpuMemoryUtilization = options.GpuMemoryUtilization * (1 - draftShare),
                    MaxLogits = Math.Min(options.MaxBatchedTokens, options.MaxSequences * rows),
                },
                progress);
            log($"model {folder}: {model.Config.Architecture.Name}, {model.Config.NumLayers} layers, vocabulary {model.Config.VocabSize}");
            log($"device {backend.Description}; weights {model.ResidentWeightBytes / 1048576.0:F1} MiB resident, {model.Config.Quantization?.Description ?? "not quantized"}");
            log(model.Capacity.ToString());
            var proposer = DraftLoader.Load(
                flags.Speculation, arguments, draftFolder, model, tokenizer, backend, options with { GpuMemoryUtilization = options.GpuMemoryUtilization * draftShare }, log);
            if (proposer is not null)
            {
                log($"speculative decoding: {arguments.GetValue(flags.Speculation.NumTokens)} tokens a step by {proposer.Description}");
            }

            var engine = new LlmEngine(model.Runner, tokenizer, EngineOptionsOf(flags, arguments, model.Config), TimeProvider.System, proposer);
            log($"loaded in {clock.Elapsed.TotalSeconds:F2} s");
            return new LoadedWorker(tokenizer, chatTemplate, engine);
        }
        catch (ArgumentException exception)
        {
            model?.Dispose();
            throw new CommandFailure(exception.Message, exception);
        }
        catch
        {
            model?.Dispose();
            throw;
        }
    }

    /// <summary>The device the flags ask for.</summary>
    public static Backend OpenBackend(EngineFlags flags, ParseResult arguments) =>
        new CpuBackend(new CpuOptions { Threads = arguments.GetValue(flags.CpuThreads) ?? Environment.ProcessorCount });

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
        EnablePrefixCaching = arguments.GetValue(flags.EnablePrefixCaching),
        EnableChunkedPrefill = arguments.GetValue(flags.EnableChunkedPrefill),
        Seed = arguments.GetValue(flags.Seed),
        EosTokenIds = [.. config.EosTokenIds],
        NumSpeculativeTokens = arguments.GetValue(flags.Speculation.NumTokens) ?? 1,
    };
}
