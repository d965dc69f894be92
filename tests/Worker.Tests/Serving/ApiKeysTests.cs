using Cluster.Worker.Serving;

namespace Cluster.Worker.Tests.Serving;

public sealed class ApiKeysTests
{
    [Theory]
    [InlineData("Bearer first", true)]
    [InlineData("bearer second", true)]
    [InlineData("Bearer  first ", true)]
    [InlineData("Bearer First", false)]
    [InlineData("Bearer firs", false)]
    [InlineData("Bearer firstsecond", false)]
    [InlineData("Bearer first,second", false)]
    [InlineData("Bearer ", false)]
    [InlineData("Basic first", false)]
    [InlineData("first", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    [InlineData("Bearer \ud800é", false)]
    public void A_caller_shows_one_of_the_keys_as_it_is(string? authorization, bool accepted) =>
        Assert.Equal(accepted, new ApiKeys(["first", "second"]).Accept(authorization));

    [Fact]
    public void A_header_beyond_any_key_is_no_key() => Assert.False(new ApiKeys(["k"]).Accept("Bearer " + new string('k', 100_000)));

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("schlüssel")]
    [InlineData("line\nbreak")]
    public void A_key_no_header_can_carry_is_refused_without_being_told(string key)
    {
        var failure = Assert.Throws<ArgumentException>(() => new ApiKeys(["good", key]));

        Assert.Contains("API key 2", failure.Message, StringComparison.Ordinal);
        Assert.True(key.Length == 0 || !failure.Message.Contains(key, StringComparison.Ordinal));
    }
}
