namespace Cluster.Common.Files;

/// <summary>What stands under a file's name is not what may be read there. The message names path, finding and what would be
/// right.</summary>
internal sealed class RefusedFileException(string path, string reason, Exception? inner = null) : IOException($"{path}: {reason}", inner)
{
    public string Path { get; } = path;
}
