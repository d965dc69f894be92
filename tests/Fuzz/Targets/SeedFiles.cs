using System.Text;

namespace Cluster.Fuzz.Targets;

/// <summary>Files of the repository as inputs.</summary>
internal static class SeedFiles
{
    /// <param name="path">Relative to the repository's root.</param>
    public static byte[] Read(string path) => File.ReadAllBytes(Path.Combine(RepositoryRoot.Path, path));

    /// <summary>A file of tests/fixtures/seeds, where what no other file shows is written down.</summary>
    public static byte[] Seed(string path) => Read($"tests/fixtures/seeds/{path}");

    /// <summary>All files of a folder that fit a pattern, each content once.</summary>
    public static IEnumerable<byte[]> Under(string folder, string pattern) =>
        RepositoryFiles.Under(folder, pattern).Order(StringComparer.Ordinal).Select(Read).DistinctBy(Convert.ToBase64String);

    public static byte[][] Texts(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];

    /// <summary>The texts of a file of tests/fixtures/seeds with one in each line.</summary>
    public static byte[][] Lines(string path) =>
        Texts([.. Encoding.UTF8.GetString(Seed(path)).Split('\n', StringSplitOptions.RemoveEmptyEntries)]);
}
