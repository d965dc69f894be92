using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

public class ModelSourceTests
{
    [Theory]
    [InlineData("hf://org/name", null, "org/name", "main")]
    [InlineData("hf://org/name@v1.0", null, "org/name", "v1.0")]
    [InlineData("org/name", null, "org/name", "main")]
    [InlineData("org/name@refs/pr/1", null, "org/name", "refs/pr/1")]
    [InlineData("Org_1/na.me-2", "0123456789abcdef0123456789abcdef01234567", "Org_1/na.me-2", "0123456789abcdef0123456789abcdef01234567")]
    [InlineData("hf://org/name@v1", "v1", "org/name", "v1")]
    public void A_repository_is_read_from(string text, string? revision, string repository, string expected)
    {
        var source = ModelSource.Parse(text, revision, _ => false);

        Assert.Equal(new ModelSource.Hub(new HubModel(repository, expected)), source);
        Assert.Equal(repository, source.DefaultName);
    }

    [Fact]
    public void A_folder_that_exists_comes_before_a_repository_of_that_name()
    {
        Assert.Equal(new ModelSource.Folder("org/name"), ModelSource.Parse("org/name", null, folder => folder == "org/name"));
        Assert.Equal("name", ModelSource.Parse("/models/name/", null, _ => true).DefaultName);
        Assert.IsType<ModelSource.Hub>(ModelSource.Parse("hf://org/name", null, _ => true));
    }

    [Theory]
    [InlineData(
        "/no/such/folder", null,
        "model '/no/such/folder': is neither a folder or GGUF file that exists nor a repository (org/name or hf://org/name@revision)")]
    [InlineData("name", null, "model 'name': is neither a folder")]
    [InlineData("", null, "model '': is neither a folder")]
    [InlineData("../name", null, "model '../name': is neither a folder")]
    [InlineData("hf://name", null, "model 'hf://name': does not name a repository; expected hf://org/name or hf://org/name@revision")]
    [InlineData("hf://a/b/c", null, "model 'hf://a/b/c': does not name a repository")]
    [InlineData("hf://org/..", null, "model 'hf://org/..': does not name a repository")]
    [InlineData("hf://org/name@", null, "model 'hf://org/name@': does not name a repository")]
    [InlineData("hf://org/name@../../etc", null, "model 'hf://org/name@../../etc': does not name a repository")]
    [InlineData("hf://org/name@a//b", null, "model 'hf://org/name@a//b': does not name a repository")]
    [InlineData("hf://org/name\n", null, "model 'hf://org/name\n': does not name a repository")]
    [InlineData("org/name", "a b", "--revision a b: cannot be a branch, a tag or a commit")]
    [InlineData("org/name@v1", "v2", "--revision v2: contradicts 'org/name@v1'")]
    public void Anything_else_is_refused(string text, string? revision, string message)
    {
        var error = Assert.Throws<HubFormatException>(() => ModelSource.Parse(text, revision, _ => false));

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_revision_of_a_folder_is_refused() =>
        Assert.Equal(
            "--revision v1: '/models/x' is on this machine and has no revisions",
            Assert.Throws<HubFormatException>(() => ModelSource.Parse("/models/x", "v1", _ => true)).Message);
}
