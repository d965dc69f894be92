using System.Text;
using Cluster.Operator.Api;

namespace Cluster.Operator.Tests.Api;

public class GatewayKeyTests
{
    private static readonly byte[] Master = "0123456789abcdef0123456789abcdef"u8.ToArray();

    /// <summary>The values are OpenSSL's: <c>printf %s default/haiku/1-2-3 | openssl dgst -sha256 -hmac MASTER</c>.</summary>
    [Fact]
    public void A_key_is_what_openssl_makes_of_the_same_words()
    {
        Assert.Equal(
            "a161c488b1633b7b204dbd78c5dd7e0ba0f0dcd3e2375c2a0a2a0e8c58fbdd20",
            GatewayKey.Derive(Master, "default", "haiku", "1-2-3"));
        Assert.Equal(
            "87a4df91a3d36adde81f623cfa34494974cfa8febce50ec2c7d311a1a50cc15e",
            GatewayKey.DeriveDemand(Master));
    }

    [Fact]
    public void Each_deployment_has_a_key_of_its_own()
    {
        var keys = new[]
        {
            GatewayKey.Derive(Master, "default", "haiku", "1"),
            GatewayKey.Derive(Master, "default", "haiku", "2"),
            GatewayKey.Derive(Master, "default", "haiku2", "1"),
            GatewayKey.Derive(Master, "other", "haiku", "1"),
            GatewayKey.Derive("another master key"u8, "default", "haiku", "1"),
            GatewayKey.DeriveDemand(Master),
        };
        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Theory]
    [InlineData("abc", "abc", true)]
    [InlineData("abd", "abc", false)]
    [InlineData("ab", "abc", false)]
    [InlineData("", "abc", false)]
    [InlineData(null, "abc", false)]
    [InlineData(null, "", false)]
    public void Only_the_very_key_matches(string? given, string right, bool matches) =>
        Assert.Equal(matches, GatewayKey.Matches(given, right));

    [Fact]
    public void A_file_may_end_in_a_line_break()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, " 0123456789abcdef0123456789abcdef\r\n");
            Assert.Equal(Master, GatewayKey.ReadMaster(file));

            File.WriteAllText(file, "secret\n");
            var error = Assert.Throws<InvalidDataException>(() => GatewayKey.ReadMaster(file));
            Assert.Contains("of 6 bytes", error.Message);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_new_master_key_is_long_and_new()
    {
        var key = GatewayKey.NewMaster();
        Assert.Matches("^[0-9a-f]{64}$", Encoding.ASCII.GetString(key));
        Assert.NotEqual(key, GatewayKey.NewMaster());
    }
}
