using Cluster.Worker.Compute;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Startup;

/// <summary>Builds what drafts tokens from <see cref="DraftOptions"/>. Called by <see cref="ReplicaModel"/>.</summary>
internal static class DraftModel
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

        static long WeightBytes(string path) => Directory.Exists(path)
            ? new DirectoryInfo(path).EnumerateFiles("*.safetensors").Sum(file => file.Length)
            : GgufModel.Open(path).Tensors.Sum(tensor => tensor.ByteLength); // A file of several names the first.
    }

    /// <param name="draftFolder">The draft model's checkpoint; null if there is none.</param>
    /// <param name="model">The model to draft for.</param>
    /// <param name="tokenizer">Its tokenizer; null where it has none.</param>
    /// <param name="open">Gives the backend that a draft model runs on, and disposes: the model's own where it is on one device.</param>
    /// <param name="options">The draft model's runner.</param>
    /// <returns>Null without speculation.</returns>
    /// <exception cref="ArgumentException">The draft does not fit the model.</exception>
    public static IDraftProposer? Load(
        DraftOptions? draftOptions, string? draftFolder, LoadedModel model, Tokenizer? tokenizer, Func<Backend> open,
        ModelRunnerOptions options, Action<string> log)
    {
        switch (draftOptions)
        {
            case null:
                return null;
            case { IsNgram: true }:
                var min = draftOptions.NgramMin ?? 1;
                var max = draftOptions.NgramMax ?? Math.Max(4, min);
                return min <= max
                    ? new NgramProposer(min, max)
                    : throw new ArgumentException($"--ngram-prompt-lookup-min {min} exceeds --ngram-prompt-lookup-max {max}");
            case var _ when draftFolder is null || tokenizer is null:
                throw new ArgumentException(
                    $"--speculative-model {draftOptions.Model}: the model has no tokenizer, so it cannot be checked that the draft "
                    + "model has the same vocabulary");
            default:
                RequireSameTokens(tokenizer, Tokenizer.Load(draftFolder), Math.Max(model.Config.VocabSize, tokenizer.VocabSize));
                var (config, weights) = ModelLoader.Open(draftFolder);
                var draft = ModelLoader.Load(
                    config, weights, open(), options with { MaxModelLength = Math.Min(model.Capacity.MaxModelLength, config.MaxLength) });
                log($"draft model {draftFolder}: {draft.Config.Architecture.Name}, {draft.Config.NumLayers} layers, weights "
                    + $"{draft.ResidentWeightBytes / 1048576.0:F1} MiB resident; {draft.Capacity}");
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
                    $"token {id} is '{model.IdToToken(id)}' to the model and '{draft.IdToToken(id)}' to the draft model; a draft model "
                    + "must have the same vocabulary");
            }
        }
    }
}
