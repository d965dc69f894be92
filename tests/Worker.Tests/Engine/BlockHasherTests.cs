using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

public class BlockHasherTests
{
    /// <summary>Key and message are the bytes 0, 1, 2, …; digests by OpenSSL 3 (<c>openssl mac -macopt size:16 SIPHASH</c>).</summary>
    [Theory]
    [InlineData(0, "A3817F04BA25A8E66DF67214C7550293")]
    [InlineData(1, "DA87C1D86B99AF44347659119B22FC45")]
    [InlineData(7, "A1F1EBBED8DBC153C0B84AA61FF08239")]
    [InlineData(8, "3B62A9BA6258F5610F83E264F31497B4")]
    [InlineData(15, "5493E99933B0A8117E08EC0F97CFC3D9")]
    [InlineData(63, "5150D1772F50834A503E069A973FBD7C")]
    public void Matches_the_published_hash(int length, string expected)
    {
        var hash = new BlockHasher(0x0706050403020100, 0x0f0e0d0c0b0a0908).Hash([.. Enumerable.Range(0, length).Select(i => (byte)i)]);

        Assert.Equal(expected, Convert.ToHexString([.. BitConverter.GetBytes(hash.Low), .. BitConverter.GetBytes(hash.High)]));
    }

    [Fact]
    public void A_block_hashes_as_its_parent_followed_by_its_tokens()
    {
        var hasher = new BlockHasher(1, 2);
        var tokens = new[] { 5, -1, 77 };
        byte[] message = [.. BitConverter.GetBytes(3UL), .. BitConverter.GetBytes(4UL), .. tokens.SelectMany(BitConverter.GetBytes)];

        Assert.Equal(hasher.Hash(message), hasher.Hash(new BlockHash(3, 4), tokens));
    }

    [Fact]
    public void Two_processes_hash_differently()
    {
        Assert.NotEqual(BlockHasher.Create().Hash(default, [1]), BlockHasher.Create().Hash(default, [1]));
    }
}
