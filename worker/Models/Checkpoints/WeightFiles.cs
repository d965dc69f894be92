using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>Which files of a folder or a repository are its weights, by their names. Quantizers and old tools call them otherwise than
/// transformers does, leave out the index, and put Mistral's own form of the same weights beside. No I/O; asked by
/// <see cref="Checkpoint"/> and by whoever downloads one.</summary>
/// <remarks>The first that is there:
/// <list type="number">
/// <item><c>model.safetensors</c>;</item>
/// <item><c>model.safetensors.index.json</c>, else the one other <c>*.safetensors.index.json</c>, and the shards that it names;</item>
/// <item>every <c>*.safetensors</c>; of shards <c>NAME-00001-of-00005</c> all must be there.</item>
/// </list>
/// <c>consolidated*.safetensors</c> counts only where there is nothing else; adapters never do.</remarks>
/// <param name="Index">Names the shards; null where there is no index.</param>
/// <param name="Files">Where there is no index, the files; empty where there are none.</param>
internal sealed partial record WeightFiles(string? Index, ImmutableArray<string> Files)
{
    private const string Ending = ".safetensors";
    private const string IndexEnding = ".safetensors.index.json";

    /// <param name="names">Plain names of files; others than weights are passed over.</param>
    /// <param name="location">Folder or repository, for messages.</param>
    /// <exception cref="CheckpointFormatException">The names do not say which of them to read, or a shard is missing.</exception>
    public static WeightFiles Of(IEnumerable<string> names, string location)
    {
        var all = names.Where(name => !name.Contains('/') && !name.StartsWith("adapter_", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).ToImmutableArray();
        if (all.Contains(Checkpoint.SingleFile))
        {
            return new WeightFiles(null, [Checkpoint.SingleFile]);
        }

        var usual = all.Where(name => !name.StartsWith("consolidated", StringComparison.Ordinal)).ToImmutableArray();
        return Choose(usual, location) ?? Choose(all, location) ?? new WeightFiles(null, []);
    }

    public static bool IsWeights(string name) => name.EndsWith(Ending, StringComparison.Ordinal);

    private static WeightFiles? Choose(ImmutableArray<string> names, string location)
    {
        var indexes = names.Where(name => name.EndsWith(IndexEnding, StringComparison.Ordinal)).ToList();
        if (indexes.Contains(Checkpoint.IndexFile))
        {
            return new WeightFiles(Checkpoint.IndexFile, []);
        }

        if (indexes.Count > 1)
        {
            throw new CheckpointFormatException(
                location, $"has the weight indexes {string.Join(", ", indexes)}; leave one of them, or name it {Checkpoint.IndexFile}");
        }

        if (indexes is [var index])
        {
            return new WeightFiles(index, []);
        }

        ImmutableArray<string> files = [.. names.Where(IsWeights)];
        RequireAllShards(files, location);
        return files.IsEmpty ? null : new WeightFiles(null, files);
    }

    private static void RequireAllShards(ImmutableArray<string> files, string location)
    {
        foreach (var shard in files.Select(file => Shard().Match(file)).Where(match => match.Success))
        {
            var count = int.Parse(shard.Groups["count"].ValueSpan, CultureInfo.InvariantCulture);
            var digits = shard.Groups["count"].Length;
            var ofAll = files.Count(file => Shard().Match(file) is { Success: true } other
                && other.Groups["name"].Value == shard.Groups["name"].Value && other.Groups["count"].Value == shard.Groups["count"].Value);
            for (var number = 1; ofAll < count && number <= count; number++)
            {
                var padded = number.ToString($"D{digits}", CultureInfo.InvariantCulture);
                var name = $"{shard.Groups["name"]}-{padded}-of-{shard.Groups["count"]}{Ending}";
                if (!files.Contains(name))
                {
                    throw new CheckpointFormatException(
                        location, $"has no '{name}', which '{shard.Value}' says there is; download it, or the checkpoint again");
                }
            }
        }
    }

    [GeneratedRegex(@"^(?<name>.+)-(?<number>[0-9]{5,6})-of-(?<count>[0-9]{5,6})\.safetensors\z")]
    private static partial Regex Shard();
}
