using System.CommandLine;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary>The model an engine runs, and what guesses its tokens ahead, on one backend and in one share of its memory. Loaded for <see cref="LoadedWorker"/>
/// and <see cref="BenchEngine"/>.</summary>
/// <param name="Proposer">Null without speculation.</param>
internal sealed record EngineModel(LoadedModel Target, IDraftProposer? Proposer)
{
    /// <param name="source">A folder, or a synthetic model.</param>
    /// <param name="draftFolder">The draft model's checkpoint, where the flags name one.</param>
    /// <param name="tokenizer">The model's; null where it has none.</param>
    /// <param name="log">What to tell: one line a fact, as in vLLM's start log.</param>
    /// <exception cref="ArgumentException">The flags do not fit the model or the machine.</exception>
    public static EngineModel Load(
        string source, string? draftFolder, Tokenizer? tokenizer, EngineFlags flags, ParseResult arguments, IProgress<LoadProgress>? progress, Action<string> log)
    {
        var backend = LoadedWorker.OpenBackend(flags, arguments);
        var options = LoadedWorker.RunnerOptions(flags, arguments);
        var draftShare = DraftLoader.MemoryShare(source, draftFolder);
        var rows = 1 + (arguments.GetValue(flags.Speculation.NumTokens) ?? 0);
        var target = ModelLoader.Load(
            source,
            backend,
            options with
            {
                GpuMemoryUtilization = options.GpuMemoryUtilization * (1 - draftShare),
                MaxLogits = Math.Min(options.MaxBatchedTokens, options.MaxSequences * rows),
            },
            progress);
        try
        {
            log($"model {source}: {target.Config.Architecture.Name}, {target.Config.NumLayers} layers, vocabulary {target.Config.VocabSize}");
            log($"device {backend.Description}; weights {target.ResidentWeightBytes / 1048576.0:F1} MiB resident, {target.Config.Quantization?.Description ?? "not quantized"}");
            log(target.Capacity.ToString());
            var draftOptions = options with { GpuMemoryUtilization = options.GpuMemoryUtilization * draftShare };
            var proposer = DraftLoader.Load(flags.Speculation, arguments, draftFolder, target, tokenizer, backend, draftOptions, log);
            if (proposer is not null)
            {
                log($"speculative decoding: {arguments.GetValue(flags.Speculation.NumTokens)} tokens a step by {proposer.Description}");
            }

            return new EngineModel(target, proposer);
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }
}
