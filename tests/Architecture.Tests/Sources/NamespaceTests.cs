using Cluster.Architecture.Tests.Rooms;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Cluster.Architecture.Tests.Sources;

/// <summary>A namespace is a folder.</summary>
public sealed class NamespaceTests
{
    [Fact]
    public void Namespaces_follow_folders()
    {
        var wrong = SourceFile.All
            .Where(
                file => file.Root.Members.OfType<BaseNamespaceDeclarationSyntax>()
                    .Any(declared => declared.Name.ToString() != Expected(file.Folder)))
            .Select(file => file.Folder);

        Known.Only([], wrong);
    }

    [Theory]
    [InlineData("worker/Models/Parallel", "Cluster.Worker.Models.Parallel")]
    [InlineData("operator", "Cluster.Operator")]
    [InlineData("tests/Shared", "Cluster.Tests.Shared")]
    [InlineData("tests/Benchmarks/Scale", "Cluster.Benchmarks.Scale")]
    [InlineData("tests/Worker.Tests/Engine", "Cluster.Worker.Tests.Engine")]
    public void A_folder_s_namespace_is_its_path(string folder, string expected) => Assert.Equal(expected, Expected(folder));

    private static string Expected(string folder) => "Cluster." + string.Join('.', folder.Split('/') switch
    {
        ["tests", "Shared", .. var rest] => ["Tests", "Shared", .. rest],
        ["tests", .. var rest] => rest,
        [var first, .. var rest] => [char.ToUpperInvariant(first[0]) + first[1..], .. rest],
        [] => Array.Empty<string>(),
    });
}
