using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Tests.Models.Config;

/// <summary>Expected numbers come from transformers' formulas, evaluated outside this code in Python.</summary>
public sealed class RopeParametersTests
{
    [Fact]
    public void Default_frequencies_are_a_geometric_series()
    {
        var frequencies = new RopeParameters(10_000, 8, 2048, new RopeScaling()).Frequencies(77);

        Assert.Equal([1f, 0.1f, 0.01f, 0.001f], frequencies.InverseFrequencies);
        Assert.Equal((1f, 77), (frequencies.AttentionScale, frequencies.MaxPositions));
    }

    [Fact]
    public void Linear_scaling_divides_every_frequency()
    {
        var rope = new RopeParameters(10_000, 8, 2048, new LinearRopeScaling { Factor = 4 });

        Assert.Equal([0.25f, 0.025f, 0.0025f, 0.00025f], rope.Frequencies(2048).InverseFrequencies);
        Assert.Equal(8192, rope.MaxLength(2048));
    }

    [Fact]
    public void Dynamic_scaling_grows_the_base_with_the_longest_sequence_served()
    {
        var rope = new RopeParameters(10_000, 8, 2048, new DynamicNtkRopeScaling { Factor = 2 });

        AssertClose([(0, 1), (1, 0.1), (2, 0.01), (3, 0.001)], rope.Frequencies(2048));
        AssertClose([(0, 1), (1, 0.0693361274), (2, 0.00480749857), (3, 0.000333333333)], rope.Frequencies(4096));
        Assert.Equal(4096, rope.MaxLength(2048));
    }

    [Fact]
    public void Llama3_scaling_stretches_long_wavelengths_only()
    {
        var rope = new RopeParameters(
            500_000, 64, 8192, new Llama3RopeScaling { Factor = 32, LowFrequencyFactor = 1, HighFrequencyFactor = 4 });

        AssertClose(
            [(0, 1), (10, 0.0165604401), (14, 0.00321144599), (15, 0.00129054793), (16, 0.000429556797), (17, 9.7082878e-05),
                (18, 1.94616382e-05), (31, 9.41830673e-08)],
            rope.Frequencies(131072));
        Assert.Equal(131072, rope.MaxLength(131072));
    }

    [Theory]
    [InlineData(true, 0.00537532149, 0.00106436098, 0.000246258407, 6.49039432e-05)]
    [InlineData(false, 0.00551727048, 0.00107923774, 0.000244518888, 6.18780681e-05)]
    public void Yarn_scaling_blends_between_kept_and_divided_frequencies(bool truncate, double at24, double at30, double at35, double at39)
    {
        var rope = new RopeParameters(
            1_000_000, 128, 32768, new YarnRopeScaling { Factor = 4, BetaFast = 32, BetaSlow = 1, Truncate = truncate });

        var frequencies = rope.Frequencies(131072);

        AssertClose(
            [(0, 1), (20, 0.0133352143), (23, 0.00697830585), (24, at24), (30, at30), (35, at35), (39, at39), (40, 4.44569853e-05),
                (63, 3.1023444e-07)],
            frequencies);
        Assert.Equal(1.13862944f, frequencies.AttentionScale, 1e-6f);
        Assert.Equal(131072, rope.MaxLength(32768));
    }

    [Theory]
    [InlineData(null, null, null, 1.3688879)]
    [InlineData(0.707, 1.0, null, 0.9210424)]
    [InlineData(0.707, 1.0, 0.5, 0.5)]
    public void Yarn_sharpens_attention(double? mscale, double? mscaleAllDim, double? attentionFactor, double expected)
    {
        var scaling = new YarnRopeScaling
        {
            Factor = 40,
            BetaFast = 32,
            BetaSlow = 1,
            Truncate = true,
            Mscale = mscale,
            MscaleAllDim = mscaleAllDim,
            AttentionFactor = attentionFactor,
        };

        Assert.Equal(expected, scaling.AttentionScale, 1e-6);
    }

    /// <summary>The formulas of transformers' <c>modeling_rope_utils.py</c>, written down a second time in its own terms.</summary>
    [Fact]
    public void Scaled_frequencies_are_those_of_the_published_formulas()
    {
        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            var dim = 2 * random.Next(2, 129);
            var theta = Math.Exp(random.NextDouble() * 8 + 7);
            var original = random.Next(64, 40_000);
            var factor = 1 + random.NextDouble() * 39;
            var served = (int)(original * (0.5 + random.NextDouble() * factor));
            var unscaled = Enumerable.Range(0, dim / 2).Select(pair => 1 / Math.Pow(theta, 2.0 * pair / dim)).ToArray();
            void Check(RopeScaling scaling, IEnumerable<double> expected) => AssertClose(
                [.. expected.Select((frequency, index) => (index, frequency))],
                new RopeParameters(theta, dim, original, scaling).Frequencies(served));

            Check(new LinearRopeScaling { Factor = factor }, unscaled.Select(frequency => frequency / factor));

            var sequence = Math.Max(served, original);
            var grownBase = theta * Math.Pow((factor * sequence / original) - (factor - 1), dim / (dim - 2.0));
            Check(new DynamicNtkRopeScaling { Factor = factor },
                Enumerable.Range(0, dim / 2).Select(pair => 1 / Math.Pow(grownBase, 2.0 * pair / dim)));

            var low = 1 + random.NextDouble();
            var high = low + 1 + random.NextDouble() * 4;
            Check(new Llama3RopeScaling { Factor = factor, LowFrequencyFactor = low, HighFrequencyFactor = high },
                unscaled.Select(frequency =>
            {
                var wavelength = 2 * Math.PI / frequency;
                var smooth = (original / wavelength - low) / (high - low);
                return wavelength > original / low ? frequency / factor
                    : wavelength < original / high ? frequency
                    : (1 - smooth) * frequency / factor + smooth * frequency;
            }));

            double Correction(double rotations) => dim * Math.Log(original / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
            var first = Math.Max(Math.Floor(Correction(32)), 0);
            var last = Math.Min(Math.Ceiling(Correction(1)), dim - 1);
            last += first == last ? 0.001 : 0;
            Check(new YarnRopeScaling { Factor = factor, BetaFast = 32, BetaSlow = 1, Truncate = true },
                unscaled.Select((frequency, pair) =>
            {
                var extrapolated = 1 - Math.Clamp((pair - first) / (last - first), 0, 1);
                return frequency / factor * (1 - extrapolated) + frequency * extrapolated;
            }));
        }
    }

    [Fact]
    public void A_share_of_each_head_can_be_rotated()
    {
        var json = ConfigObject.Parse("config.json", """{"partial_rotary_factor":0.5}"""u8.ToArray());

        Assert.Equal(40, RopeParameters.Read(json, 80, 2048, new()).RotaryDim);
        var empty = ConfigObject.Parse("config.json", "{}"u8.ToArray());
        Assert.Equal(20, RopeParameters.Read(empty, 80, 2048, new() { PartialRotaryFactor = 0.25 }).RotaryDim);
        Assert.Equal(24, RopeParameters.Read(empty, 80, 2048, new() { RotaryDim = 24 }).RotaryDim);
    }

    [Fact]
    public void Frequencies_can_be_rounded_to_bf16()
    {
        var frequencies = new RopeParameters(10_000, 8, 2048, new RopeScaling()) { FrequencyDType = DType.BF16 }.Frequencies(1);

        // Nearest with 8 bits of significand.
        Assert.Equal([1f, 0.10009765625f, 0.010009765625f, 0.00099945068359375f], frequencies.InverseFrequencies);
    }

    private static void AssertClose((int Index, double Value)[] expected, RopeFrequencies actual) => Assert.All(
        expected, frequency => Assert.Equal(1, actual.InverseFrequencies[frequency.Index] / frequency.Value, 1e-6));
}
