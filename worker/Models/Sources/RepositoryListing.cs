using System.Text.Json;

namespace Cluster.Worker.Models.Sources;

/// <summary>The hub's answer to "what is this revision": its commit and files. Read by <see cref="HubClient"/>.</summary>
/// <param name="Commit">The commit that the revision points to now.</param>
internal sealed record RepositoryListing(string Commit, IReadOnlyList<HubFile> Files)
{
    /// <summary>Largest answer that is read. Ten thousand files take about 3 MB.</summary>
    public const int MaxBytes = 32 << 20;

    /// <summary>Far above any file of a hub; keeps the sum of all files within a long.</summary>
    public const long MaxFileBytes = 1L << 43;

    private const int MaxDepth = 64;
    private const int MaxFiles = 100_000;
    private const int MaxNameLength = 1024;
    private const int MaxSegmentLength = 255;

    /// <summary>Reads <c>{"sha": …, "siblings": [{"rfilename": …, "size": …, "blobId": …, "lfs": {"sha256": …}}]}</c>.</summary>
    /// <param name="url">Where the answer comes from, for messages.</param>
    /// <exception cref="HubFormatException">The answer is not that, or lists a file outside the repository.</exception>
    public static RepositoryListing Parse(ReadOnlyMemory<byte> json, string url)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth });
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw new HubFormatException(url, $"answered with a JSON {root.ValueKind}; expected an object that describes a model");
            }

            if (!root.TryGetProperty("sha", out var sha)
                || sha.ValueKind != JsonValueKind.String
                || sha.GetString() is not { } commit
                || !HubModel.IsCommit(commit))
            {
                throw new HubFormatException(url, "answered without a commit: 'sha' must be 40 hexadecimal digits");
            }

            if (!root.TryGetProperty("siblings", out var siblings) || siblings.ValueKind != JsonValueKind.Array)
            {
                throw new HubFormatException(url, "answered without a list of files in 'siblings'");
            }

            return new RepositoryListing(commit, ReadFiles(siblings, url));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new HubFormatException(url, $"answered with invalid JSON: {exception.Message}", exception);
        }
    }

    private static List<HubFile> ReadFiles(JsonElement siblings, string url)
    {
        var count = siblings.GetArrayLength();
        if (count > MaxFiles)
        {
            throw new HubFormatException(url, $"lists {count} files; at most {MaxFiles} are read");
        }

        var files = new List<HubFile>(count);
        var names = new HashSet<string>(count, StringComparer.Ordinal);
        foreach (var sibling in siblings.EnumerateArray())
        {
            if (sibling.ValueKind != JsonValueKind.Object
                || !sibling.TryGetProperty("rfilename", out var rfilename)
                || rfilename.ValueKind != JsonValueKind.String)
            {
                throw new HubFormatException(url, $"lists a file without a name: 'siblings[{files.Count}].rfilename' must be a string");
            }

            var name = rfilename.GetString()!;
            if (!StaysInside(name))
            {
                throw new HubFormatException(url, $"lists the file '{Printable(name)}', which is no path inside the repository");
            }

            if (!names.Add(name))
            {
                throw new HubFormatException(url, $"lists the file '{name}' twice");
            }

            files.Add(new HubFile(name, ReadSize(sibling, name, url), ReadBlob(sibling, name, url)));
        }

        return files;
    }

    private static long? ReadSize(JsonElement sibling, string name, string url)
    {
        if (!sibling.TryGetProperty("size", out var size) || size.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return size.ValueKind == JsonValueKind.Number && size.TryGetInt64(out var bytes) && bytes is >= 0 and <= MaxFileBytes
            ? bytes
            : throw new HubFormatException(url, $"lists '{name}' with a size that no file has; expected 0 to {MaxFileBytes} bytes");
    }

    private static BlobId? ReadBlob(JsonElement sibling, string name, string url)
    {
        JsonElement hash = default;
        if (sibling.TryGetProperty("lfs", out var lfs) && lfs.ValueKind == JsonValueKind.Object)
        {
            lfs.TryGetProperty("sha256", out hash);
        }
        else
        {
            sibling.TryGetProperty("blobId", out hash);
        }

        return hash.ValueKind switch
        {
            JsonValueKind.Undefined or JsonValueKind.Null => null,
            JsonValueKind.String when BlobId.TryParse(hash.GetString(), out var id) => id,
            _ => throw new HubFormatException(url, $"lists '{name}' with a hash that is neither a SHA-256 nor a git SHA-1"),
        };
    }

    private static bool StaysInside(string name) =>
        name.Length is > 0 and <= MaxNameLength
        && !name.Any(c => c is '\\' || char.IsControl(c))
        && name.Split('/').All(segment => segment.Length is > 0 and <= MaxSegmentLength && segment is not ("." or ".."));

    private static string Printable(string name) =>
        string.Concat(name.Take(80).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
}
