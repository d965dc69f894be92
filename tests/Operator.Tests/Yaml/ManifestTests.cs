using Cluster.Operator.Yaml;

namespace Cluster.Operator.Tests.Yaml;

public class ManifestTests
{
    [Fact]
    public void A_stream_of_objects_and_lists_is_read_in_order()
    {
        var manifests = Manifest.Parse("""
            apiVersion: v1
            kind: Namespace
            metadata: {name: a}
            ---
            apiVersion: v1
            kind: List
            items:
            - {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: team}}
            - {apiVersion: v1, kind: Pod, metadata: {generateName: p-}}
            """, "all.yaml");
        Assert.Equal(["Namespace/a", "Secret/s", "Pod/p-"], manifests.Select(manifest => $"{manifest.Kind}/{manifest.Name}"));
        Assert.Equal("team", manifests[1].Namespace);
        Assert.Equal("all.yaml:5", manifests[2].Origin);
    }

    [Theory]
    [InlineData("", "f:1:1: holds no API object")]
    [InlineData("- a\n", "f:1:1: expected an API object")]
    [InlineData("\nkind: Pod\n", "f:2:1: 'apiVersion' is missing")]
    [InlineData("apiVersion: v1\nkind: 3\n", "f:1:1: 'kind' must be a non-empty string, found 3")]
    [InlineData("apiVersion: v1\nkind: Pod\n", "f:1:1: Pod has no 'metadata'")]
    [InlineData("apiVersion: v1\nkind: Pod\nmetadata: {}\n", "f:1:1: 'Pod: metadata.name' is missing")]
    [InlineData("apiVersion: v1\nkind: Pod\nmetadata: {name: 12}\n", "f:1:1: 'Pod: metadata.name' must be a non-empty string, found 12")]
    [InlineData(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: no}\n",
        "f:1:1: 'Pod: metadata.namespace' must be a non-empty string, found false")]
    [InlineData("apiVersion: v1\nkind: List\n", "f:1:1: a List needs 'items'")]
    public void What_is_no_object_is_refused_with_its_place(string text, string message)
        =>
        Assert.StartsWith(message, Assert.Throws<YamlSyntaxException>(() => Manifest.Parse(text, "f")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_folder_stands_for_its_manifests_by_name()
    {
        using TemporaryFolder folder = new();
        folder.Write("b.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: second}}");
        folder.Write("a.json", """{"apiVersion":"v1","kind":"Pod","metadata":{"name":"first"}}""");
        folder.Write("README.md", "# not: [yaml");
        Assert.Equal(["first", "second"], Manifest.Load(folder.Path).Select(manifest => manifest.Name));
    }

    [Fact]
    public void A_path_that_leads_nowhere_is_named()
    {
        using TemporaryFolder folder = new();
        Assert.Contains(
            "'nowhere.yaml' does not exist", Assert.Throws<FileNotFoundException>(() => Manifest.Load("nowhere.yaml")).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "holds no manifest", Assert.Throws<FileNotFoundException>(() => Manifest.Load(folder.Path)).Message, StringComparison.Ordinal);
    }
}
