using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Cluster.Architecture.Tests.Sources;

/// <summary>A C# file of the repository.</summary>
/// <param name="Path">Relative to the repository's root, with '/'.</param>
internal sealed record SourceFile(string Path, CompilationUnitSyntax Root)
{
    private static readonly Lazy<IReadOnlyList<SourceFile>> Repository = new(() =>
        [.. new[] { "common", "operator", "tests", "worker" }
            .SelectMany(folder => RepositoryFiles.Under(folder, "*.cs")).Order(StringComparer.Ordinal).Select(Read)]);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<SourceFile> All => Repository.Value;

    /// <summary>Those of the test projects, with what they share; benchmarks are no tests.</summary>
    public static IEnumerable<SourceFile> Tests => All.Where(file =>
        file.Path.StartsWith("tests/", StringComparison.Ordinal) && !file.Path.StartsWith("tests/Benchmarks/", StringComparison.Ordinal));

    public string Folder => Path[..Path.LastIndexOf('/')];

    private static SourceFile Read(string path) =>
        new(path, CSharpSyntaxTree.ParseText(RepositoryFiles.Read(path)).GetCompilationUnitRoot());
}
