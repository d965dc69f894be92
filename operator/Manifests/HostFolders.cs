namespace Cluster.Operator.Manifests;

/// <summary>Folders of the node that stand for folders of this machine: <c>/models</c> → the samples' models. Other paths are the machine's
/// own.</summary>
/// <param name="folders">From path on the node to path here; the longest match wins.</param>
internal sealed class HostFolders(IReadOnlyDictionary<string, string> folders)
{
    public const string Models = "/models";

    /// <summary>The folder <c>/models</c> of the node, where sources like <c>file:///models/name</c> point.</summary>
    public static HostFolders ForModels(string? folder) =>
        new(folder is null
            ? new Dictionary<string, string>()
            : new Dictionary<string, string>(StringComparer.Ordinal) { [Models] = Path.GetFullPath(folder) });

    public string Map(string path)
    {
        foreach (var (prefix, mapped) in folders.OrderByDescending(pair => pair.Key.Length))
        {
            if (path == prefix || path.StartsWith(prefix.TrimEnd('/') + "/", StringComparison.Ordinal))
            {
                return mapped + path[prefix.TrimEnd('/').Length..];
            }
        }

        return path;
    }

    /// <summary>The folder <c>models</c> beside the first manifest; null where there is none.</summary>
    /// <param name="files">Manifests as given on the command line.</param>
    public static string? BesideFirst(string[] files)
    {
        if (files.FirstOrDefault(file => file != "-") is not { } first)
        {
            return null;
        }

        var full = Path.GetFullPath(first);
        var folder = Path.Combine(Directory.Exists(full) ? full : Path.GetDirectoryName(full)!, "models");
        return Directory.Exists(folder) ? folder : null;
    }
}
