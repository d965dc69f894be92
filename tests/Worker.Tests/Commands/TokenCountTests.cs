using Cluster.Worker.Commands;

namespace Cluster.Worker.Tests.Commands;

public sealed class TokenCountTests
{
    [Theory]
    [InlineData("4096", 4096)]
    [InlineData("8k", 8000)]
    [InlineData("25.6k", 25600)]
    [InlineData("8K", 8192)]
    [InlineData("1m", 1000000)]
    [InlineData("1M", 1048576)]
    [InlineData("2g", 2000000000)]
    [InlineData("-5", -5)]
    [InlineData("", null)]
    [InlineData("k", null)]
    [InlineData("1.5", null)]
    [InlineData("1.5K", null)]
    [InlineData("1.00001k", null)]
    [InlineData("3g", null)]
    [InlineData("79228162514264337593543950335k", null)]
    [InlineData("1 000", null)]
    [InlineData("4096tokens", null)]
    public void A_number_of_tokens_may_have_vLLMs_suffix(string text, int? count) => Assert.Equal(count, TokenCount.Parse(text));
}
