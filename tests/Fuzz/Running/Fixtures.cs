namespace Cluster.Fuzz.Running;

/// <summary>Inputs as files: those that once failed, which tests replay, and those that fail now.</summary>
internal static class Fixtures
{
    /// <summary>tests/fixtures/fuzz, with a folder for each target.</summary>
    public static string Folder { get; } = Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "fuzz");

    public static IReadOnlyList<string> Of(string target) =>
        Path.Combine(Folder, target) is var folder && Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)]
            : [];

    /// <returns>The file's path.</returns>
    public static string Save(string folder, string target, byte[] input)
    {
        var path = Path.Combine(folder, target, Corpus.NameOf(input));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, input);
        return path;
    }
}
