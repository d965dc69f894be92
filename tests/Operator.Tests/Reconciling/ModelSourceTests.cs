using Cluster.Operator.Reconciling;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class ModelSourceTests
{
    [Fact]
    public void Three_forms_are_understood()
    {
        Assert.Equal(new ModelSource.HuggingFace("org/name", null), ModelSource.Parse("hf://org/name"));
        Assert.Equal(new ModelSource.HuggingFace("org/name", "v1"), ModelSource.Parse("hf://org/name@v1"));
        Assert.Equal(new ModelSource.Pvc("claim", "a/b"), ModelSource.Parse("pvc://claim/a/b"));
        Assert.Equal(new ModelSource.Pvc("claim", ""), ModelSource.Parse("pvc://claim"));
        Assert.Equal(new ModelSource.File("/a/b"), ModelSource.Parse("file:///a/b/"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a/b")]
    [InlineData("hf://name")]
    [InlineData("hf://org/name@")]
    [InlineData("hf://org/name/more")]
    [InlineData("pvc:///a")]
    [InlineData("pvc://claim/../x")]
    [InlineData("file://host/a")]
    [InlineData("file:///")]
    [InlineData("file:///a/../b")]
    public void Anything_else_is_refused(string source) => Assert.Throws<FormatException>(() => ModelSource.Parse(source));
}
