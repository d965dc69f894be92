using System.Text.Json;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>The weights of a Hugging Face checkpoint folder: <c>model.safetensors</c>, the shards that
/// <c>model.safetensors.index.json</c> names, or what else <see cref="WeightFiles"/> finds. Called by <see cref="ModelLoader"/>.</summary>
internal sealed class Checkpoint : WeightSource
{
    /// <summary>The one weight file of a checkpoint that is not split.</summary>
    public const string SingleFile = "model.safetensors";

    /// <summary>Tells which tensor is in which shard.</summary>
    public const string IndexFile = "model.safetensors.index.json";

    private readonly Dictionary<string, (SafetensorsFile File, HostTensor Tensor)> _tensors = new(StringComparer.Ordinal);

    private Checkpoint(string folder) => Location = folder;

    public override string Location { get; }

    public override IReadOnlyCollection<string> Names => _tensors.Keys;

    public override long TotalBytes => _tensors.Values.Sum(found => found.Tensor.ByteLength);

    /// <summary>Maps every file and checks every header; reads no weights.</summary>
    /// <exception cref="CheckpointFormatException">A file is missing or breaks the format.</exception>
    public static Checkpoint Open(string folder)
    {
        var checkpoint = new Checkpoint(folder);

        // Whatever has such a name, a link that leads nowhere too: it is refused by name when it is opened.
        var found = WeightFiles.Of(Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)), folder);
        if (found.Index is { } index)
        {
            checkpoint.OpenShards(folder, Path.Combine(folder, index));
        }
        else if (found.Files.IsEmpty)
        {
            throw new CheckpointFormatException(
                folder, $"has neither {SingleFile} nor {IndexFile}, nor other *.safetensors{HintAtOtherFormats(folder)}");
        }

        foreach (var name in found.Files)
        {
            checkpoint.OpenWhole(Path.Combine(folder, name));
        }

        return checkpoint;
    }

    /// <summary>The shards that an index names, as it names them. Whoever downloads a checkpoint asks.</summary>
    /// <exception cref="CheckpointFormatException">The index breaks the format.</exception>
    public static IReadOnlySet<string> ShardsOf(string index) =>
        ReadWeightMap(index).Select(entry => entry.Shard).ToHashSet(StringComparer.Ordinal);

    public override HostTensor? Find(string name) => _tensors.TryGetValue(name, out var found) ? found.Tensor : null;

    public override string FileOf(string name) => _tensors.TryGetValue(name, out var found) ? found.File.Path : Location;

    public override void Forget()
    {
        foreach (var file in _tensors.Values.Select(found => found.File).Distinct())
        {
            file.Forget();
        }
    }

    private static string HintAtOtherFormats(string folder)
    {
        var other = Directory.EnumerateFiles(folder).Select(Path.GetFileName).FirstOrDefault(
            name => name!.EndsWith(".bin", StringComparison.Ordinal)
                || name.EndsWith(".pth", StringComparison.Ordinal));
        return other is null ? "" : $"; it has '{other}', but weights are read from safetensors and GGUF files only";
    }

    private void OpenWhole(string path)
    {
        var file = SafetensorsFile.Open(path);
        foreach (var name in file.Names)
        {
            if (!_tensors.TryAdd(name, (file, file.Find(name)!)))
            {
                throw new CheckpointFormatException(
                    path, name,
                    $"is in '{Path.GetFileName(_tensors[name].File.Path)}' too; without an index that says which one counts, remove the "
                    + "file that is not part of the model");
            }
        }
    }

    private void OpenShards(string folder, string index)
    {
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach (var (name, shard) in ReadWeightMap(index))
        {
            if (!shards.TryGetValue(shard, out var file))
            {
                file = OpenShard(folder, index, name, shard);
                shards.Add(shard, file);
            }

            var tensor = file.Find(name)
                ?? throw new CheckpointFormatException(index, name, $"is said to be in '{shard}', which does not have it");
            _tensors.Add(name, (file, tensor));
        }
    }

    private static SafetensorsFile OpenShard(string folder, string index, string tensor, string shard)
    {
        // A checkpoint is downloaded data: it must not reach outside its folder.
        if (shard is "" or "." or ".." || shard.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
        {
            throw new CheckpointFormatException(
                index, tensor, $"names shard '{shard}'; a shard is a plain file name in the checkpoint's folder");
        }

        var path = Path.Combine(folder, shard);
        if (!RegularFile.IsThere(path))
        {
            throw new CheckpointFormatException(index, tensor, $"is said to be in '{shard}', but there is no such file in {folder}");
        }

        return SafetensorsFile.Open(path);
    }

    private static List<(string Name, string Shard)> ReadWeightMap(string index)
    {
        try
        {
            using var document = JsonDocument.Parse(
                RegularFile.ReadBytes(index, FileKind.WeightIndex),
                new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out var map)
                || map.ValueKind != JsonValueKind.Object)
            {
                throw new CheckpointFormatException(index, "has no object 'weight_map'");
            }

            var entries = new List<(string, string)>();
            foreach (var entry in map.EnumerateObject())
            {
                if (entry.Value.ValueKind != JsonValueKind.String)
                {
                    throw new CheckpointFormatException(index, entry.Name, "is not mapped to a file name");
                }

                entries.Add((entry.Name, entry.Value.GetString()!));
            }

            return entries;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointFormatException(index, $"is not valid JSON: {e.Message}", e);
        }
    }
}
