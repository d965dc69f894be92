using System.CommandLine;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models;
using Cluster.Worker.Models.Ranks;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary>The model an engine runs, and what guesses its tokens ahead, in one share of the memory. Loaded for <see cref="LoadedWorker"/> and
/// <see cref="BenchEngine"/>.</summary>
/// <param name="Target">The model; with several ranks, this process' part of it.</param>
/// <param name="Runner">Runs the whole model. Owns it, and the other ranks.</param>
/// <param name="Ranks">The other ranks; null when there are none.</param>
/// <param name="Proposer">Null without speculation.</param>
internal sealed record EngineModel(LoadedModel Target, IModelRunner Runner, RankGroup? Ranks, IDraftProposer? Proposer)
{
    /// <param name="source">A folder, or a synthetic model.</param>
    /// <param name="draftFolder">The draft model's checkpoint, where the flags name one.</param>
    /// <param name="tokenizer">The model's; null where it has none.</param>
    /// <param name="log">What to tell: one line a fact, as in vLLM's start log.</param>
    /// <exception cref="ArgumentException">The flags do not fit the model or the machine.</exception>
    public static EngineModel Load(
        string source, string? draftFolder, Tokenizer? tokenizer, EngineFlags flags, ParseResult arguments, IProgress<LoadProgress>? progress, Action<string> log)
    {
        var options = LoadedWorker.RunnerOptions(flags, arguments);
        var draftShare = DraftLoader.MemoryShare(source, draftFolder);
        var rows = 1 + (arguments.GetValue(flags.Speculation.NumTokens) ?? 0);
        var targetOptions = options with
        {
            GpuMemoryUtilization = options.GpuMemoryUtilization * (1 - draftShare),
            MaxLogits = Math.Min(options.MaxBatchedTokens, options.MaxSequences * rows),
        };
        var loaded = ParallelModel.Load(source, targetOptions, RankOptions.Read(flags, arguments), progress, log);
        var (target, backend) = (loaded.Target, loaded.Backend);
        try
        {
            log($"model {source}: {target.Config.Architecture.Name}, {target.Config.NumLayers} layers, vocabulary {target.Config.VocabSize}");
            log($"device {backend.Description}; weights {target.ResidentWeightBytes / 1048576.0:F1} MiB resident, {target.Config.Quantization?.Description ?? "not quantized"}");
            log(target.Capacity.ToString());
            var draftOptions = options with { GpuMemoryUtilization = options.GpuMemoryUtilization * draftShare, DType = null };
            var proposer = DraftLoader.Load(flags.Speculation, arguments, draftFolder, target, tokenizer, loaded.DraftBackend, draftOptions, log);
            if (proposer is not null)
            {
                log($"speculative decoding: {arguments.GetValue(flags.Speculation.NumTokens)} tokens a step by {proposer.Description}");
            }

            return new EngineModel(target, loaded.Runner, loaded.Ranks, proposer);
        }
        catch
        {
            loaded.Runner.Dispose();
            throw;
        }
    }
}
