using Cluster.Worker.Serving.Grpc;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class GrpcTimeoutTests
{
    [Theory]
    [InlineData("2H", 7_200_000_000_0)]
    [InlineData("3M", 1_800_000_000)]
    [InlineData("15S", 150_000_000)]
    [InlineData("250m", 2_500_000)]
    [InlineData("40u", 400)]
    [InlineData("100n", 1)]
    [InlineData("101n", 2)]
    [InlineData("1n", 1)]
    [InlineData("0S", 0)]
    [InlineData("99999999H", 99_999_999 * TimeSpan.TicksPerHour)]
    public void Every_unit_is_read(string text, long ticks)
    {
        Assert.True(GrpcTimeout.TryParse(text, out var timeout));
        Assert.Equal(ticks, timeout.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("S")]
    [InlineData("5s")]
    [InlineData("5 S")]
    [InlineData("-5S")]
    [InlineData("+5S")]
    [InlineData("1.5S")]
    [InlineData("٣S")]
    [InlineData("123456789S")]
    [InlineData("5SS")]
    public void Anything_else_is_no_timeout(string text) => Assert.False(GrpcTimeout.TryParse(text, out _));
}
