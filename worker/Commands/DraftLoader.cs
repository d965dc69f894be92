using System.CommandLine;
using Cluster.Worker.Compute;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary>Builds what guesses tokens ahead from <see cref="SpeculationFlags"/>. Called by <see cref="EngineModel"/>.</summary>
internal static class DraftLoader
{
    /// <summary>The draft model's share of the memory that model and draft have together: as their checkpoints' sizes are.</summary>
    /// <param name="draftFolder">Null where there is no draft model.</param>
    public static double MemoryShare(string folder, string? draftFolder)
    {
        if (draftFolder is null)
        {
            return 0;
        }

        var draft = (double)WeightBytes(draftFolder);
        return draft / (draft + WeightBytes(folder));

        static long WeightBytes(string path) => new DirectoryInfo(path).EnumerateFiles("*.safetensors").Sum(file => file.Length);
    }

    /// <param name="draftFolder">The draft model's checkpoint; null where the flags name none.</param>
    /// <param name="model">The model to draft for.</param>
    /// <param name="tokenizer">Its tokenizer; null where it has none.</param>
    /// <param name="open">Gives the backend that a draft model runs on, and disposes: the model's own where it is on one device.</param>
    /// <param name="options">The draft model's runner.</param>
    /// <returns>Null without speculation.</returns>
    /// <exception cref="ArgumentException">The draft does not fit the model.</exception>
    public static IDraftProposer? Load(
        SpeculationFlags flags, ParseResult arguments, string? draftFolder, LoadedModel model, Tokenizer? tokenizer, Func<Backend> open, ModelRunnerOptions options, Action<string> log)
    {
        switch (arguments.GetValue(flags.Model))
        {
            case null:
                return null;
            case SpeculationFlags.Ngram:
                var max = arguments.GetValue(flags.NgramMax) ?? Math.Max(4, arguments.GetValue(flags.NgramMin) ?? 1);
                var min = arguments.GetValue(flags.NgramMin) ?? 1;
                return min <= max ? new NgramProposer(min, max) : throw new ArgumentException($"--ngram-prompt-lookup-min {min} exceeds --ngram-prompt-lookup-max {max}");
            case var name when draftFolder is null || tokenizer is null:
                throw new ArgumentException($"--speculative-model {name}: the model has no tokenizer, so whether the draft model means the same by its tokens cannot be told");
            default:
                RequireSameTokens(tokenizer, Tokenizer.Load(draftFolder), Math.Max(model.Config.VocabSize, tokenizer.VocabSize));
                var (config, _) = ModelLoader.Open(draftFolder);
                var draft = ModelLoader.Load(
                    draftFolder, open(), options with { MaxModelLength = Math.Min(model.Capacity.MaxModelLength, config.MaxLength) });
                log($"draft model {draftFolder}: {draft.Config.Architecture.Name}, {draft.Config.NumLayers} layers, weights {draft.ResidentWeightBytes / 1048576.0:F1} MiB resident; {draft.Capacity}");
                return new DraftModelProposer(draft.Runner, model.Config.VocabSize);
        }
    }

    /// <exception cref="ArgumentException">A token id means something else to the draft model.</exception>
    private static void RequireSameTokens(Tokenizer model, Tokenizer draft, int count)
    {
        for (var id = 0; id < count; id++)
        {
            if (model.IdToToken(id) != draft.IdToToken(id))
            {
                throw new ArgumentException(
                    $"token {id} is '{model.IdToToken(id)}' to the model and '{draft.IdToToken(id)}' to the draft model; a draft model must have the same vocabulary");
            }
        }
    }
}
