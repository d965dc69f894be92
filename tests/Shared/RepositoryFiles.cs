namespace Cluster.Tests.Shared;

/// <summary>Files of the repository that somebody wrote: without what builds and package managers leave among them.</summary>
internal static class RepositoryFiles
{
    private static readonly string[] Made = ["bin", "obj", "TestResults", "node_modules"];

    /// <param name="folder">Relative to the root; its folders are searched, too.</param>
    /// <param name="pattern">Such as <c>*.cs</c>.</param>
    /// <returns>Paths relative to the root, with '/'.</returns>
    public static IEnumerable<string> Under(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, folder), pattern, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(RepositoryRoot.Path, path).Replace('\\', '/'))
            .Where(path => !path.Split('/').Intersect(Made).Any());

    public static string Read(string path) => File.ReadAllText(Path.Combine(RepositoryRoot.Path, path));
}
