using Cluster.Worker.Serving.Grpc.Framing;
using Xunit;

namespace Cluster.Worker.Tests.Serving.Grpc.Framing;

public sealed class PercentEncodingTests
{
    [Theory]
    [InlineData("plain ASCII stays ~!", "plain ASCII stays ~!")]
    [InlineData("100% sure", "100%25 sure")]
    [InlineData("a\r\nb\t", "a%0D%0Ab%09")]
    [InlineData("Grüße, 海 🌊", "Gr%C3%BC%C3%9Fe, %E6%B5%B7 %F0%9F%8C%8A")]
    [InlineData("\u007f", "%7F")]
    public void Only_printable_ASCII_without_percent_is_left_as_it_is(string text, string encoded) =>
        Assert.Equal(encoded, PercentEncoding.Encode(text));

    [Fact]
    public void Half_a_surrogate_pair_becomes_the_replacement_character() =>
        Assert.Equal("half %EF%BF%BD pair", PercentEncoding.Encode($"half {'\ud83c'} pair"));

    [Fact]
    public void Any_text_comes_back_from_the_framework_decoder()
    {
        var random = new Random(7);
        for (var round = 0; round < 200; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ => char.ConvertFromUtf32(RandomScalar(random))));
            var encoded = PercentEncoding.Encode(text);
            Assert.All(encoded, c => Assert.InRange(c, ' ', '~'));
            Assert.Equal(text, Uri.UnescapeDataString(encoded));
        }
    }

    private static int RandomScalar(Random random)
    {
        var scalar = random.Next(random.Next(2) == 0 ? 0x80 : 0x10FFFF);
        return scalar is >= 0xD800 and <= 0xDFFF ? 'x' : scalar;
    }
}
