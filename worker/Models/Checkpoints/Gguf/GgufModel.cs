using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>A GGUF file, or the shards of one, as a checkpoint: configuration, weights, and what a folder has in config.json,
/// tokenizer.json and tokenizer_config.json, which <see cref="FileMounts"/> shows under the file's path. Opened by
/// <see cref="ModelLoader"/>.</summary>
internal sealed partial class GgufModel : IMountedFiles
{
    public const string Ending = ".gguf";

    private const string ConfigName = "config.json";
    private const string EmbeddingName = "token_embd.weight";

    /// <summary>Tokens by which models end a turn; those of them that are control tokens end a sequence, whatever else the file says: as
    /// in llama.cpp.</summary>
    private static readonly string[] EndTokens =
    [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<EOT>", "_<EOT>", "<|end_of_text|>",
        "<｜end▁of▁sentence｜>",
    ];

    private readonly ImmutableArray<GgufFile> _files;
    private readonly Dictionary<string, (GgufFile File, GgufTensor Tensor)> _tensors = new(StringComparer.Ordinal);

    private GgufModel(ImmutableArray<GgufFile> files)
    {
        _files = files;
        foreach (var file in files)
        {
            foreach (var tensor in file.Tensors)
            {
                if (!_tensors.TryAdd(tensor.Name, (file, tensor)))
                {
                    throw new CheckpointFormatException(
                        file.Path, tensor.Name, $"is in '{System.IO.Path.GetFileName(_tensors[tensor.Name].File.Path)}' too");
                }
            }
        }

        ArchitectureName = Metadata.Text("general.architecture") ?? throw Metadata.Wrong("general.architecture", "a name");
        Architecture = GgufArchitecture.Of(Path, ArchitectureName);
        Names = Metadata.Has(GgufTokenizer.ModelKey)
            ? ImmutableHashSet.Create(ConfigName, GgufTokenizer.FileName, GgufTokenizer.ConfigFileName)
            : [ConfigName];
    }

    public IReadOnlySet<string> Names { get; }

    /// <summary>Of the file, or of the first shard.</summary>
    public string Path => _files[0].Path;

    public GgufMetadata Metadata => _files[0].Metadata;

    public string ArchitectureName { get; }

    public GgufArchitecture Architecture { get; }

    public IEnumerable<GgufTensor> Tensors => _tensors.Values.Select(found => found.Tensor);

    public int VocabSize => FindTensor(EmbeddingName) is { Shape: [var rows, _] }
        ? rows
        : throw new CheckpointFormatException(Path, EmbeddingName, "is missing or no matrix");

    /// <summary>Type that most of the weights are in, or F16 where these come in blocks.</summary>
    public DType WeightDType => Tensors.Where(tensor => tensor.Shape.Length > 1)
        .GroupBy(tensor => tensor.Type).MaxBy(tensors => tensors.Sum(tensor => tensor.ByteLength))?.Key.Plain() ?? DType.F16;

    public IEnumerable<long> EndTokenIds
    {
        get
        {
            long?[] named = [.. new[] { "eos", "eot", "eom" }.Select(name => Metadata.Integer($"tokenizer.ggml.{name}_token_id"))];
            return named.OfType<long>().Concat(GgufTokenizer.ControlTokens(Metadata, EndTokens)).Where(id => id < VocabSize).Distinct()
                .Order();
        }
    }

    /// <summary>The file that a model's source names; null where it names none: a path that ends in .gguf, or a folder that holds one such
    /// file, or the shards of one, and no safetensors.</summary>
    /// <exception cref="CheckpointFormatException">The folder has several.</exception>
    public static string? PathOf(string source)
    {
        if (source.EndsWith(Ending, StringComparison.OrdinalIgnoreCase) && File.Exists(source))
        {
            return source;
        }

        if (!Directory.Exists(source) || Directory.EnumerateFileSystemEntries(source, "*.safetensors").Any())
        {
            return null;
        }

        var files = Directory.EnumerateFileSystemEntries(source, "*" + Ending)
            .Where(file => !Shard().IsMatch(file) || Shard().Match(file).Groups["number"].ValueSpan.TrimStart('0') is "1")
            .Order(StringComparer.Ordinal).ToArray();
        return files.Length > 1
            ? throw new CheckpointFormatException(
                source,
                $"has {files.Length} models: {string.Join(", ", files.Select(System.IO.Path.GetFileName))}; name one of them by its path")
            : files.FirstOrDefault();
    }

    /// <summary>Maps a file, and the others that it says it is a shard of, and shows its parts.</summary>
    /// <exception cref="CheckpointFormatException">A file breaks the format, is missing, or holds what is not supported.</exception>
    public static GgufModel Open(string path)
    {
        var model = new GgufModel(OpenAll(path));
        FileMounts.Add(path, model);
        return model;
    }

    public GgufTensor? FindTensor(string name) => _tensors.TryGetValue(name, out var found) ? found.Tensor : null;

    /// <summary>Where a tensor of the model is.</summary>
    public GgufFile FileOf(string name) => _tensors[name].File;

    /// <summary>See <see cref="MappedFile.Forget"/>.</summary>
    public void Forget()
    {
        foreach (var file in _files)
        {
            file.Mapping.Forget();
        }
    }

    /// <summary>A vector of F32; null where there is none of this name.</summary>
    /// <exception cref="CheckpointFormatException">It has another type.</exception>
    public double[]? Floats(string name)
    {
        if (!_tensors.TryGetValue(name, out var found))
        {
            return null;
        }

        var (file, tensor) = found;
        return tensor is { Type: GgufType.F32, Shape: [var length] }
            ? Array.ConvertAll(
                WeightReader.ReadAll(new HostTensor(name, DType.F32, [length], file.Mapping.AddressAt(tensor.Offset), file.Mapping)),
                value => (double)value)
            : throw new CheckpointFormatException(
                file.Path, name, $"is {tensor.Type} [{string.Join(", ", tensor.Shape)}]; expected a vector of F32");
    }

    /// <summary>Bytes that each type takes, for the start log.</summary>
    public IEnumerable<string> TypeSizes() => Tensors.GroupBy(tensor => tensor.Type)
        .Select(tensors => (Type: tensors.Key, Bytes: tensors.Sum(tensor => tensor.ByteLength)))
        .OrderByDescending(size => size.Bytes)
        .Select(size => string.Create(CultureInfo.InvariantCulture, $"{size.Type} {size.Bytes / 1048576.0:F1} MiB"));

    /// <exception cref="CheckpointFormatException">The metadata lacks something, or says what is not supported.</exception>
    /// <exception cref="ModelConfigException">The architecture finds a value wrong.</exception>
    public ModelConfig Config()
    {
        var config = ModelConfig.Load(Path);
        config = Architecture.Adjust?.Invoke(config) ?? config;
        return Floats(GgufWeights.RopeFactors) is { } factors && config.Rope is { } rope
            ? config with { Rope = rope with { Scaling = FactorRopeScaling.Of(rope, factors, Path) } }
            : config;
    }

    public WeightSource Weights(ModelConfig config) => new GgufWeights(this, config);

    public byte[] Read(string name) => name switch
    {
        ConfigName => System.Text.Encoding.UTF8.GetBytes(Architecture.ConfigOf(this).ToJsonString()),
        GgufTokenizer.FileName => new GgufTokenizer(Path, Metadata).WriteTokenizer(),
        _ => new GgufTokenizer(Path, Metadata).WriteConfig(),
    };

    private static ImmutableArray<GgufFile> OpenAll(string path)
    {
        const int MaxShards = 1000;
        var first = GgufFile.Open(path);
        var count = first.Metadata.Integer("split.count") ?? 1;
        if (count is 0 or 1)
        {
            return [first];
        }

        var shard = Shard().Match(path);
        if (!shard.Success || first.Metadata.Integer("split.no") is not 0 || count > MaxShards)
        {
            throw new CheckpointFormatException(
                path, $"is one of {count} shards; name the first of them, NAME-00001-of-{count:D5}{Ending}");
        }

        var rest = Enumerable.Range(2, (int)count - 1).Select(number => GgufFile.Open(
            string.Create(CultureInfo.InvariantCulture, $"{shard.Groups["name"].Value}-{number:D5}-of-{count:D5}{Ending}")));
        return [first, .. rest];
    }

    [GeneratedRegex(@"^(?<name>.+)-(?<number>[0-9]{5})-of-(?<count>[0-9]{5})\.gguf\z")]
    private static partial Regex Shard();
}
