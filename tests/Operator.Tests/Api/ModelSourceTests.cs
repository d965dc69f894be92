using System.Text.RegularExpressions;
using Cluster.Operator.Api;

namespace Cluster.Operator.Tests.Api;

public class ModelSourceTests
{
    [Theory]
    [InlineData("hf://meta-llama/Llama-3.1-70B-Instruct", "hf://meta-llama/Llama-3.1-70B-Instruct@main")]
    [InlineData("hf://org/name@refs/pr/12", "hf://org/name@refs/pr/12")]
    [InlineData("hf://a/b@v1.0", "hf://a/b@v1.0")]
    [InlineData("pvc://models/llama/70b/", "pvc://models/llama/70b")]
    [InlineData("pvc://models", "pvc://models/")]
    [InlineData("pvc://models/", "pvc://models/")]
    [InlineData("oci://ghcr.io/org/haiku", "oci://ghcr.io/org/haiku")]
    [InlineData("oci://registry:5000/a/b/haiku-1m:v1.2", "oci://registry:5000/a/b/haiku-1m:v1.2")]
    [InlineData("file:///models/haiku-1m", "file:///models/haiku-1m")]
    [InlineData("file:///models/haiku..1m/", "file:///models/haiku..1m")]
    public void Sources_are_taken_apart(string text, string canonical)
    {
        Assert.Equal(canonical, ModelSource.Parse(text).ToString());
        Assert.Matches(ModelSource.Pattern, text);
    }

    [Fact]
    public void Each_scheme_has_its_parts()
    {
        Assert.Equal(new ModelSource.Hf("org/name", "main"), ModelSource.Parse("hf://org/name"));
        Assert.Equal(new ModelSource.Pvc("claim", "a/b"), ModelSource.Parse("pvc://claim/a/b"));
        Assert.Equal(new ModelSource.File("/a/b"), ModelSource.Parse("file:///a/b"));
        Assert.Equal(new ModelSource.Oci("ghcr.io/org/haiku:v1"), ModelSource.Parse("oci://ghcr.io/org/haiku:v1"));
    }

    [Theory]
    [InlineData("oci://ghcr.io/org/haiku", "haiku")]
    [InlineData("oci://registry:5000/haiku:v1", "haiku")]
    [InlineData("oci://r.io/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "b")]
    [InlineData("oci://r.io/a/b:t@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "b")]
    public void An_image_is_called_by_the_end_of_its_path(string text, string name) =>
        Assert.Equal(name, Assert.IsType<ModelSource.Oci>(ModelSource.Parse(text)).Name);

    [Theory]
    [InlineData(null, "is empty")]
    [InlineData("", "is empty")]
    [InlineData("/models/x", "has no known scheme")]
    [InlineData("s3://bucket/key", "has no known scheme")]
    [InlineData("HF://org/name", "has no known scheme")]
    [InlineData("oci://haiku", "names no image with its registry")]
    [InlineData("oci://ghcr.io/Org/haiku", "names no image with its registry")]
    [InlineData("oci://ghcr.io/org/haiku:", "names no image with its registry")]
    [InlineData("oci://ghcr.io/org/haiku@sha256:12", "names no image with its registry")]
    [InlineData("oci://ghcr.io/../haiku", "names no image with its registry")]
    [InlineData("oci://ghcr.io//haiku", "names no image with its registry")]
    [InlineData("hf://name", "does not name one repository")]
    [InlineData("hf://a/b/c", "does not name one repository")]
    [InlineData("hf://a/b@", "does not name one repository")]
    [InlineData("hf://a/b@x@y", "does not name one repository")]
    [InlineData("hf://-a/b", "does not name one repository")]
    [InlineData("hf://../b", "does not name one repository")]
    [InlineData("hf://a/b@x/../y", "has '..'")]
    [InlineData("hf://a/b c", "has spaces")]
    [InlineData("pvc:///path", "does not name a claim")]
    [InlineData("pvc://Claim/path", "does not name a claim")]
    [InlineData("pvc://claim-/path", "does not name a claim")]
    [InlineData("pvc://claim/../other", "has '..'")]
    [InlineData("pvc://claim/a//b", "an empty part")]
    [InlineData("file://models", "needs an absolute path")]
    [InlineData("file:///", "needs an absolute path")]
    [InlineData("file:///a/../../etc", "has '..'")]
    [InlineData("file:///a/./b", "'.'")]
    [InlineData("file:////etc", "an empty part")]
    [InlineData("file:///a\nb", "has spaces")]
    public void What_is_no_source_is_refused_and_told_why(string? text, string problem)
    {
        Assert.False(ModelSource.TryParse(text, out _, out var message));
        Assert.Contains(problem, message, StringComparison.Ordinal);
        Assert.Contains("expected hf://org/name", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Very_long_sources_are_refused()
        => Assert.False(ModelSource.TryParse("file:///" + new string('a', 2000), out _, out _));

    [Theory]
    [InlineData("hf://name")]
    [InlineData("s3://x/y")]
    [InlineData("file://x")]
    [InlineData("pvc://")]
    public void The_schemas_pattern_refuses_the_plainly_wrong(string text)
        => Assert.DoesNotMatch(new Regex(ModelSource.Pattern), text);
}
