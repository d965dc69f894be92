using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Arithmetic of the sampling kernels that must have the host's bits.</summary>
public class SamplingArithmeticTests
{
    private const int Count = 300_000;

    [Fact]
    public void A_quotient_is_rounded_as_the_processor_rounds_it()
    {
        var random = new Random(1);
        for (var i = 0; i < Count; i++)
        {
            var a = BitConverter.Int32BitsToSingle(random.Next(1, 0x7f800001));
            var b = BitConverter.Int32BitsToSingle(random.Next(0x00800000, 0x7f800000));
            b = random.Next(2) == 0 ? b : 0.1f + (2 * random.NextSingle());

            Assert.Equal(BitConverter.SingleToInt32Bits(a / b), BitConverter.SingleToInt32Bits(Native.Divide(a, b)));
        }
    }

    [Fact]
    public void Weights_are_those_of_the_host()
    {
        var random = new Random(2);
        for (var i = 0; i < Count; i++)
        {
            var temperature = MathF.Pow(2, (80 * random.NextSingle()) - 40);
            var power = random.Next(3) == 0 ? -90 * random.NextSingle() : -MathF.Pow(2, (40 * random.NextSingle()) - 33);
            var difference = random.Next(50) == 0 ? float.NegativeInfinity : power * temperature;
            var expected = LogitMath.Exp(Vector256.Create(difference) / Vector256.Create(temperature))[0];

            var weight = Native.ExpOfNegative(Sampling.Scaled(difference, temperature, 1 / temperature));

            Assert.True(expected.Equals(weight), $"exp({difference:R} / {temperature:R}) is {weight:R} instead of {expected:R}");
        }
    }

    [Fact]
    public void Ranks_order_logits_as_the_hosts_keys_do()
    {
        var random = new Random(3);
        float[] special = [0f, -0f, float.NegativeInfinity, float.Epsilon, -float.Epsilon, float.MaxValue, float.MinValue];
        for (var i = 0; i < Count; i++)
        {
            var logit = i < special.Length ? special[i] : BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
            if (!float.IsNaN(logit))
            {
                Assert.Equal(PartialSelection.Key(logit, 0) >> 32, Sampling.RankOf(logit));
            }
        }
    }
}
