using System.Numerics;
using Cluster.Worker.Draws;

namespace Cluster.Worker.Tests.Draws;

public class TokenMassTests
{
    [Fact]
    public void A_place_is_the_product_with_the_random_number_rounded_down()
    {
        var random = new Random(1);
        Assert.All(Enumerable.Range(0, 10_000), round =>
        {
            var total = (ulong)random.NextInt64(1L << random.Next(1, 62));
            var bits = round == 0 ? (1UL << 53) - 1 : (ulong)random.NextInt64(1L << 53);

            var place = TokenMass.Place(total, (uint)(bits >> 32), (uint)bits);

            Assert.Equal((BigInteger)total * bits >> 53, place);
        });
    }

    [Fact]
    public void A_part_is_the_product_with_the_share_rounded_up_and_never_nothing()
    {
        var random = new Random(2);
        Assert.All(Enumerable.Range(0, 10_000), _ =>
        {
            var total = (ulong)random.NextInt64(1L << random.Next(1, 62));
            var share = TokenMass.ShareOf(MathF.BitDecrement(1 - random.NextSingle() * random.NextSingle()));

            var part = TokenMass.Part(total, share);

            Assert.Equal(BigInteger.Max(1, (((BigInteger)total * share) + uint.MaxValue) >> 32), part);
            Assert.True(part <= Math.Max(1, total));
        });
    }

    [Theory]
    [InlineData(1f, 1UL << 40)]
    [InlineData(0.5f, 1UL << 39)]
    [InlineData(1e-13f, 0UL)]
    public void A_mass_is_a_weight_in_units_of_a_trillionth(float weight, ulong mass) => Assert.Equal(mass, TokenMass.Of(weight));
}
