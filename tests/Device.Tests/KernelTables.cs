namespace Cluster.Device.Tests;

/// <summary>The tables of kernels in the documents, one for each target, which the tests compare and write.</summary>
internal static class KernelTables
{
    /// <summary>Whether they are written, by a variable.</summary>
    public static bool AreWritten { get; } = Environment.GetEnvironmentVariable("CLUSTER_WRITE_DOCS") is not null;

    /// <summary>The document that has them.</summary>
    public static string Document { get; } = Path.Combine(RepositoryRoot.Path, "docs", "kernels.md");

    /// <summary>A target's table.</summary>
    public static string Of(string text, string target)
    {
        var from = text.IndexOf(Begin(target), StringComparison.Ordinal) + Begin(target).Length;
        return text[from..text.IndexOf($"<!-- end of {target} -->", StringComparison.Ordinal)];
    }

    /// <summary>The text with another table.</summary>
    public static string With(string text, string target, string table) =>
        text.Replace(Begin(target) + Of(text, target), Begin(target) + table, StringComparison.Ordinal);

    private static string Begin(string target) => $"<!-- {target} -->\n";
}
