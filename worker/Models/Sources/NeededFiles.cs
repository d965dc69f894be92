using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Sources;

/// <summary>Which files of a repository a worker needs: configuration, tokenizer, chat template and safetensors weights. No I/O but reading
/// the weight index. Repositories carry the same weights in other forms too (<c>.bin</c>, <c>consolidated.*</c>, ONNX, GGUF); downloading
/// those would double the bytes for nothing.</summary>
internal static class NeededFiles
{
    private const string Config = "config.json";
    private const string TiktokenEnding = ".tiktoken";

    private static readonly HashSet<string> ConfigurationNames = new(StringComparer.Ordinal)
    {
        Config, "generation_config.json", "quantize_config.json", "quant_config.json",
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model", "tekken.json",
        "tiktoken.model", "vocab.json", "merges.txt", "vocab.txt",
        "chat_template.jinja", "chat_template.json",
    };

    private static readonly string[] ForeignWeights = [".bin", ".pth", ".pt", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".ckpt"];

    /// <summary>The weight index, which must be read to know what else is needed; null where the weights are not split.</summary>
    /// <param name="page">The repository's page, for messages.</param>
    /// <exception cref="HubException">The repository is no checkpoint that can be served.</exception>
    public static HubFile? Index(HubModel model, RepositoryListing listing, string page)
    {
        var files = listing.Files.ToDictionary(file => file.Name, StringComparer.Ordinal);
        if (!files.ContainsKey(Config))
        {
            throw new HubException($"{model} has no {Config}, so it is no checkpoint in Hugging Face form; its files are on {page}");
        }

        var found = WeightFiles.Of(files.Keys, model.ToString());
        if (found is { Index: null, Files.IsEmpty: true })
        {
            var other = files.Keys.Where(name => ForeignWeights.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase)))
                .Order(StringComparer.Ordinal).FirstOrDefault();
            throw new HubException(other is null
                ? $"{model} has no weights: no *.safetensors among its {files.Count} files on {page}"
                : $"{model} has its weights as '{other}' only, and weights are read from safetensors only: name a revision that has "
                    + $"them (a conversion often waits as a pull request: {model.Repository}@refs/pr/1; see {page}), or load it once "
                    + "with transformers, save_pretrained(folder, safe_serialization=True), and give --model that folder");
        }

        return found.Index is { } index ? files[index] : null;
    }

    /// <summary>Everything but the index: the small files, and of the weights the shards that the index names, or what
    /// <see cref="WeightFiles"/> chooses.</summary>
    /// <param name="index">Path of the downloaded <see cref="Index"/>; null where there is none.</param>
    /// <exception cref="HubException">The index names a shard that the repository does not have.</exception>
    /// <exception cref="CheckpointFormatException">The index breaks the format.</exception>
    public static IReadOnlyList<HubFile> Of(HubModel model, RepositoryListing listing, string? index) =>
        [.. listing.Files.Where(file => IsConfiguration(file.Name)), .. Weights(model, listing, index)];

    /// <summary>What a snapshot on disk lacks to be loaded; null where it is complete.</summary>
    /// <param name="folder">The snapshot; need not exist.</param>
    public static string? MissingIn(string folder)
    {
        if (!Has(Config))
        {
            return Config;
        }

        WeightFiles found;
        try
        {
            found = WeightFiles.Of(Directory.EnumerateFileSystemEntries(folder).Select(file => Path.GetFileName(file)).Where(Has), folder);
        }
        catch (CheckpointFormatException)
        {
            return "a shard of its weights";
        }

        return found.Index is { } index
            ? Checkpoint.ShardsOf(Path.Combine(folder, index)).Order(StringComparer.Ordinal).FirstOrDefault(shard => !Has(shard))
            : found.Files.IsEmpty ? Checkpoint.SingleFile : null;

        // A link whose content is gone is no file.
        bool Has(string name) => FileNode.At(Path.Combine(folder, name), followLinks: true) is not null;
    }

    // A tiktoken file is called after its model.
    private static bool IsConfiguration(string name) => ConfigurationNames.Contains(name)
        || (name.EndsWith(TiktokenEnding, StringComparison.Ordinal) && !name.Contains('/'));

    private static IEnumerable<HubFile> Weights(HubModel model, RepositoryListing listing, string? index)
    {
        var files = listing.Files.ToDictionary(file => file.Name, StringComparer.Ordinal);
        if (index is null)
        {
            return WeightFiles.Of(files.Keys, model.ToString()).Files.Select(name => files[name]);
        }

        return Checkpoint.ShardsOf(index).Order(StringComparer.Ordinal)
            .Select(shard => !shard.Contains('/') && WeightFiles.IsWeights(shard) && files.TryGetValue(shard, out var file)
            ? file
            : throw new HubException(
                $"{model}: '{Path.GetFileName(index)}' names the shard '{shard}', which is no safetensors file of the repository"));
    }
}
